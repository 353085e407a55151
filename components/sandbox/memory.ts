import { memoryLines } from "./image/memory-seed.ts";
import { memoryPath } from "./spec.ts";
import type { Steps } from "./steps.ts";

/** Written beside the file and linked, so that of two sandboxes that start at once only one seeds the memory. */
const script = `set -e; test ! -s "$1" || exit 0; new="$1.$$.new"; cat > "$new"; ln "$new" "$1" 2>/dev/null || test -s "$1" || mv "$new" "$1"; rm -f "$new"`;

/** Gives a repository's memory its first content, once (spec 004). */
export async function seedMemory(steps: Steps): Promise<void> {
  await steps.run("memory", ["sh", "-c", script, "sh", memoryPath], { stdin: memoryLines() });
}
