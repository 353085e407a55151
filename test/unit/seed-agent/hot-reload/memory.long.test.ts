import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bubblewrap } from "../../../support/seed-agent/fences.ts";

/** 200 take a minute: `SEED_RELOADS=200 npm test -- test/unit/seed-agent/hot-reload/memory.long.test.ts`. */
const count = Number(process.env["SEED_RELOADS"] ?? 24);
const program = fileURLToPath(new URL("../../../support/seed-agent/reloads-program.ts", import.meta.url));

test(`${count} reloads leave no memory behind in the service`, { timeout: 20_000 + count * 2000 }, async () => {
  await bubblewrap();
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program, String(count)]);
  const { rss, held } = JSON.parse(stdout);
  process.stdout.write(`${count} reloads: ${stdout}\n`);
  // A version is 0.3 MB of source and 0.6 MB of program. What is held is after a garbage collection; the resident memory
  // also has what malloc and the collector keep for later.
  expect(held.late - held.early).toBeLessThan(3);
  expect(rss.late - rss.early).toBeLessThan(15);
});
