import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isAlive } from "../../../../components/lib/process.ts";
import { fences } from "../../../support/seed-agent/fences.ts";

const program = fileURLToPath(new URL("../../../support/seed-agent/host-program.ts", import.meta.url));

test.for(await fences())("a version behind $name ends with a service that is killed", async ({ name }) => {
  const service = spawn(process.execPath, [program, name], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(service.stdout, "data");
  const pid = Number(String(line).trim());
  expect(isAlive(pid)).toBe(true);
  service.kill("SIGKILL");
  await once(service, "close");
  await expect.poll(() => isAlive(pid)).toBe(false);
});
