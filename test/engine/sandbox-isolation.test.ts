import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Repository } from "../support/repository.ts";
import { runScript } from "../support/run-script.ts";
import { makeTestStack } from "./test-stack.ts";

const stack = makeTestStack();
const repository = new Repository();
afterAll(async () => {
  await stack.remove();
  repository[Symbol.dispose]();
});

it("a machine that can't isolate deploys its fleet, and refuses a session with the remedy", async () => {
  const tools = join(stack.home, "tools");
  mkdirSync(tools);
  // As in a container: the kernel allows no namespaces.
  writeFileSync(join(tools, "bwrap"), "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n");
  chmodSync(join(tools, "bwrap"), 0o755);
  repository.commit({ "README.md": "one\n" }, { author: "A", at: "2026-11-01T10:00:00Z" });
  stack.declare(`[changelings.example]\nkind = "sandbox"\nrepo = "${repository.folder}"\n`);
  const env = { ...stack.env, PATH: [tools, stack.env["PATH"]].join(delimiter) };
  const { code, stdout, stderr } = await stack.up({ PATH: env.PATH });
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("warning: no session can be started on this machine: isolation: this machine does not let");
  const started = await runScript("changeling", ["sandbox", "start", "example"], env);
  expect(started.code).toBe(1);
  expect(started.stderr).toContain('or set isolation = "none" for the changeling');
  const { stdout: checks } = await runScript("changeling", ["doctor", "--json"], env);
  const all: { name: string; status: string }[] = JSON.parse(checks);
  expect(all.find(({ name }) => name === "sandboxes on local")?.status).toBe("failed");
});
