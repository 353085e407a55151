import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** How a secret may be written is defined there, for sandboxes too. */
const program = join(dirname(fileURLToPath(import.meta.url)), "mask.awk");

const withheld = "(withheld: secrets could not be redacted from it)";

/**
 * A text with `***` in place of secrets, also where they are escaped, percent-encoded or in base64, and of each line of a
 * long one; and of the passwords of URLs.
 */
export function masked(text: string, secrets: readonly string[]): string {
  if (text === "") return text;
  const variables = Object.fromEntries([...new Set(secrets)].map((secret, index) => [`SECRET_${index}`, secret]));
  const { status, stdout } = spawnSync("awk", ["-f", program], {
    env: { ...variables, PATH: process.env["PATH"], LC_ALL: "C", MASKED: Object.keys(variables).join(" ") },
    input: text,
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    timeout: 60_000,
  });
  if (status !== 0) return withheld;
  // awk ends its last line, whether the text did or not.
  return text.endsWith("\n") ? stdout : stdout.replace(/\n$/, "");
}

/** Each of some texts, as one line. */
export function maskedLines(texts: readonly string[], secrets: readonly string[]): string[] {
  if (texts.length === 0) return [];
  const lines = masked(texts.map((text) => text.replace(/[\r\n]+/g, " ")).join("\n"), secrets).split("\n");
  return texts.map((_, index) => lines[index] ?? withheld);
}
