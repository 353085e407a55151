import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * One of our scripts as a shell command to run in an agent's machine. Its arguments are passed as base64, which has no
 * characters that a shell interprets.
 */
export function scriptInMachine(
  script: "prepare.sh" | "fast-forward.sh" | "undo-merge.sh",
  words: readonly string[],
): string {
  const packed = base64(readFileSync(join(folder, script), "utf8"));
  return ["sh", "-c", `"$(printf %s ${packed} | base64 -d)"`, script, ...words.map((word) => word || "''")].join(" ");
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
