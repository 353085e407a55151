import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isAlive } from "../../../../components/lib/process.ts";
import { portForward } from "../../../../components/seed-agent/kubernetes/port-forward.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "port-forward-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const kubectl = (script: string) => {
  const path = join(folder, "kubectl");
  writeFileSync(path, `#!/bin/sh\necho $$ >'${join(folder, "pid")}'\n${script}\n`);
  chmodSync(path, 0o755);
  return { env: { PATH: `${folder}:${process.env["PATH"]}` } };
};

test("returns the port that kubectl opened, and ends kubectl when it is closed", async () => {
  const options = kubectl('echo "Forwarding from 127.0.0.1:40123 -> 4000"; exec sleep 600');
  const { url, close } = await portForward(["port-forward"], options);
  expect(url).toBe("http://127.0.0.1:40123");
  const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
  expect(isAlive(pid)).toBe(true);
  close();
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 });
});

test("fails with kubectl's reason", async () => {
  const options = kubectl('echo "error: services \\"sprout\\" not found" >&2; exit 1');
  await expect(portForward(["port-forward"], options)).rejects.toThrow('services "sprout" not found');
});

test("fails if no port opens in time, and ends kubectl", async () => {
  const options = kubectl("exec sleep 600");
  await expect(portForward([], { ...options, timeoutSeconds: 1 })).rejects.toThrow("no port was open");
  await vi.waitFor(() => expect(existsSync(join(folder, "pid"))).toBe(true), 15_000);
  const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 });
});
