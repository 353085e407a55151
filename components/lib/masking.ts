import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The script defines the spellings of a secret that are redacted. Sandboxes run the same script. */
const program = join(dirname(fileURLToPath(import.meta.url)), "mask.awk");

const withheld = "(withheld: secrets could not be redacted from it)";

/**
 * Replaces secrets in a text with `***`, also where they are escaped, percent-encoded or in base64. Redacts each line
 * of a multi-line secret, and the passwords in URLs.
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
  // awk always ends its last line with a newline.
  return text.endsWith("\n") ? stdout : stdout.replace(/\n$/, "");
}

/** Redacts several texts. Each is returned as one line. */
export function maskedLines(texts: readonly string[], secrets: readonly string[]): string[] {
  if (texts.length === 0) return [];
  const lines = masked(texts.map((text) => text.replace(/[\r\n]+/g, " ")).join("\n"), secrets).split("\n");
  return texts.map((_, index) => lines[index] ?? withheld);
}
