/**
 * The text of an `--env-file` for mngr 0.3.0, such that the agent's variables have exactly these values.
 *
 * A value passes three parsers: python-dotenv reads our file (and expands `${…}`, in any quotes); mngr writes the
 * result into the agent's own file, in double quotes with only `"` escaped, and only if it contains a space, a quote or
 * a newline; a POSIX shell sources that file. So a value is escaped for the shell first, then for dotenv.
 *
 * @throws if a name is not a valid variable name, or a value contains a NUL (which no environment can hold)
 */
export function envFileText(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
        throw new Error(`"${name}" is not a name for an environment variable`);
      if (value.includes("\0")) throw new Error(`the value of ${name} contains a NUL, which an environment can't`);
      return `${name}="${escapeForDotenv(escapeForShell(value))}"\n`;
    })
    .join("");
}

function escapeForShell(value: string): string {
  const isQuotedByMngr = /[ "'\n]/.test(value);
  return isQuotedByMngr
    ? value.replace(/[\\$`]/g, "\\$&")
    : value.replace(/[^A-Za-z0-9_\-./:=+,@%^\u0080-\u{10ffff}]/gu, "\\$&");
}

/** An empty expansion in dotenv: it breaks up a `${`, and separates a final backslash from the closing quote. */
const nothing = "$" + "{:-}";

function escapeForDotenv(value: string): string {
  const escaped = value
    .replace(/[\\"]/g, "\\$&")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replace(/\$(?=\{)/g, () => `$${nothing}`);
  return escaped.endsWith("\\") ? escaped + nothing : escaped;
}
