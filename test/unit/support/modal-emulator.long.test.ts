import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { setUpEmulator } from "../../../scripts/stack/setup/emulator.ts";

test("the Python tests of Modal's emulator pass", async () => {
  const { python, source } = await setUpEmulator();
  const { status, stderr } = spawnSync(python, ["-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."], {
    cwd: source,
    encoding: "utf8",
  });
  const ran = Number(/^Ran (\d+) tests/m.exec(stderr)?.[1]);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(ran).toBeGreaterThan(30);
}, 60_000);
