import { SeedAgentError } from "../provider.ts";

/** The maximum size of a line that flyctl reads (Go's bufio.Scanner). */
const maxLineBytes = 64 * 1024 - 1;

/**
 * The input from which `flyctl secrets import` reads exactly these values. flyctl strips quotes, and everything from a `#`
 * that an even number of quotes precedes, so each value gets the quotes with which it is read unchanged.
 *
 * @throws SeedAgentError for a value that flyctl can't read; it names the secret, and does not quote the value
 */
export function secretLines(secrets: Readonly<Record<string, string>>): string {
  return Object.entries(secrets)
    .map(([name, value]) => {
      const quoted = ["'", '"', '"""'].map((quote) => `${name}=${quote}${value}${quote}\n`);
      const text = quoted.find((each) => isShort(each) && isReadAs(each, name, value));
      if (text !== undefined) return text;
      throw new SeedAgentError(
        `the secret ${name} can't be given to Fly: \`flyctl secrets import\` reads neither carriage returns, nor lines of 64 kB, nor some mixtures of quotes with # or line breaks; encode it, for instance as base64`,
      );
    })
    .join("");
}

function isReadAs(text: string, name: string, value: string): boolean {
  try {
    const read = parseSecretLines(text);
    return read.size === 1 && read.get(name) === value;
  } catch {
    return false;
  }
}

function isShort(text: string): boolean {
  return text.split("\n").every((line) => Buffer.byteLength(line) <= maxLineBytes);
}

/** As flyctl reads it (`internal/command/secrets/parser.go`). @throws for a line without `=` */
export function parseSecretLines(text: string): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  let open: { readonly name: string; value: string } | undefined;
  for (const line of text
    .replace(/\n$/, "")
    .split("\n")
    .map((each) => each.replace(/\r$/, ""))) {
    if (open !== undefined) {
      if (line.endsWith('"""')) {
        secrets.set(open.name, open.value + line.slice(0, -3));
        open = undefined;
      } else open.value += `${line}\n`;
      continue;
    }
    if (line.startsWith("#") || line.trim() === "") continue;
    const at = line.indexOf("=");
    if (at < 0) throw new Error("a line is not a NAME=VALUE pair");
    const name = line.slice(0, at).trim();
    const value = withoutComment(line.slice(at + 1).replace(/^ +/, ""));
    if (value.startsWith('"""') && value.endsWith('"""') && value.length >= 6) secrets.set(name, value.slice(3, -3));
    else if (value.startsWith('"""')) open = { name, value: `${value.slice(3)}\n` };
    else secrets.set(name, withoutQuotes(value));
  }
  return secrets;
}

function withoutComment(value: string): string {
  const at = value.indexOf("#");
  if (at < 0) return value;
  const before = value.slice(0, at);
  return (before.split('"').length - 1) % 2 === 0 ? before.replace(/ +$/, "") : value;
}

function withoutQuotes(value: string): string {
  // flyctl itself crashes on a lone quote.
  const quote = ['"', "'"].find((each) => value.startsWith(each) && value.endsWith(each));
  return quote === undefined || value.length < 2 ? value : value.slice(1, -1);
}
