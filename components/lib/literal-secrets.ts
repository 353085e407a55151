/** The key formats of well-known services. A heuristic: it can miss secrets. */
const forms = [
  "gh[pousr]_[A-Za-z0-9]{16,}",
  "github_pat_[A-Za-z0-9_]{16,}",
  "glpat-[A-Za-z0-9_-]{16,}",
  "sk-ant-[A-Za-z0-9_-]{8,}",
  "sk-(?:proj-)?[A-Za-z0-9]{20,}",
  "A(?:KIA|SIA)[A-Z0-9]{16}",
  "xox[abpors]-[A-Za-z0-9-]{10,}",
  "(?:ak|as)-[A-Za-z0-9]{20,}",
  "pul-[0-9a-f]{40}",
  "npm_[A-Za-z0-9]{30,}",
  "-----BEGIN [A-Z ]*PRIVATE KEY",
];

const literal = new RegExp(`(?<![A-Za-z0-9])(?:${forms.join("|")})`);

/** The index of the first thing that looks like a secret's value; -1 if there is none. */
export function indexOfLiteralSecret(text: string): number {
  return text.search(literal);
}

export function looksLikeSecret(text: string): boolean {
  return literal.test(text);
}

/** Redacts everything that looks like a secret's value. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(new RegExp(literal, "g"), "…");
}

/** The error for a build argument that looks like a secret, whatever is built. */
export const secretInBuildArg =
  "the value looks like a secret, and build arguments are kept in the image and in the stack's state";

/** A value for an error message: quoted and shortened, and redacted if it looks like a secret. */
export function shown(value: string): string {
  if (looksLikeSecret(value)) return "(a value that looks like a secret)";
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
}
