/**
 * Allows one more script in the policies of a `Content-Security-Policy` header. They stay as strict for everything else.
 *
 * @param hash "sha256-…", of the text of a script element
 */
export function allowingScript(policies: string, hash: string): string {
  return policies
    .split(",")
    .map((policy) => allowIn(policy, `'${hash}'`))
    .join(",");
}

function allowIn(policy: string, source: string): string {
  const directives = policy.split(";").map((directive) => directive.trim().split(/\s+/));
  const find = (wanted: string) => directives.find(([name]) => name?.toLowerCase() === wanted);
  const governing = find("script-src-elem") ?? find("script-src") ?? find("default-src");
  if (governing === undefined) return policy;
  const [name = "", ...sources] = governing;
  if (runsInlineScripts(sources)) return policy;
  const kept = [...sources.filter((each) => each.toLowerCase() !== "'none'"), source];
  if (name.toLowerCase() !== "default-src") {
    return joined(directives.map((each) => (each === governing ? [name, ...kept] : each)));
  }
  // Everything but scripts keeps the default.
  return joined([...directives, ["script-src", ...kept]]);
}

/** A nonce or a hash disables 'unsafe-inline', so we must not add the first one. */
function runsInlineScripts(sources: readonly string[]): boolean {
  const isInline = sources.some((source) => source.toLowerCase() === "'unsafe-inline'");
  return isInline && !sources.some((source) => /^'(nonce-|sha(256|384|512)-|strict-dynamic)/i.test(source));
}

function joined(directives: readonly string[][]): string {
  return directives
    .map((directive) => directive.join(" "))
    .filter((directive) => directive !== "")
    .join("; ");
}
