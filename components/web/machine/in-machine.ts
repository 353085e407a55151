import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * One of our scripts as a shell command, to be run in an agent's machine: what it is given is in base64, in which there
 * is no character that a shell would read.
 */
export function scriptInMachine(script: "prepare.sh" | "take.sh" | "take-back.sh", words: readonly string[]): string {
  const packed = base64(readFileSync(join(folder, script), "utf8"));
  return ["sh", "-c", `"$(printf %s ${packed} | base64 -d)"`, script, ...words.map((word) => word || "''")].join(" ");
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
