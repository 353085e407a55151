import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import * as z from "zod/mini";
import { readRecord } from "../../components/web/agent/record.ts";
import { adminRequest } from "../../components/web/forwarding/admin-client.ts";
import { checkout } from "../../scripts/stack/setup/cache.mjs";
import type { TestStack } from "../engine/test-stack.ts";

/** A git repository of the agent in probe-agent.mjs, to be cloned. */
export function probeRepository(folder: string): string {
  mkdirSync(join(folder, ".mngr"), { recursive: true });
  copyFileSync(join(checkout, "test/support/probe-agent.mjs"), join(folder, "agent.mjs"));
  cpSync(join(checkout, "node_modules/ws"), join(folder, "node_modules/ws"), { recursive: true });
  const settings = ["[agent_types.probe]", 'parent_type = "command"', 'command = "node agent.mjs"', ""];
  const template = ["[create_templates.entrypoint]", 'type = "probe"', ""];
  writeFileSync(join(folder, ".mngr/settings.toml"), [...settings, ...template].join("\n"));
  const git = (...args: string[]) => execFileSync("git", ["-C", folder, ...args], { stdio: "ignore" });
  git("init", "--initial-branch=main");
  git("add", "--all", "--force");
  git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--message=Begin");
  return folder;
}

/** The agent id of a web changeling of the stack. */
export function agentIdOf({ paths }: TestStack, name: string): string {
  const record = readRecord(paths, name);
  if (record === undefined) throw new Error(`${name} has no record in ${paths.web}`);
  return record.agentId;
}

/** A URL that logs one browser in to a web changeling, once. */
export async function loginUrl(stack: TestStack, name: string): Promise<string> {
  const answer = await adminRequest(stack.paths.forwarding, { op: "mint", agent: agentIdOf(stack, name) });
  return z.object({ url: z.string() }).parse(answer).url;
}

/** The drift that the next `pulumi up` would repair in a resource: the words of its DRIFT. */
export async function driftOf(stack: TestStack, resource: string): Promise<string[]> {
  const { code, stdout } = await stack.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"]);
  expect(code, stdout).toBe(0);
  const shown = stdout.split("[urn=").find((each) => each.slice(0, each.indexOf("]")).endsWith(`::${resource}`)) ?? "";
  return [...shown.matchAll(/DRIFT *: (?:"[^"]*" => )?"(.+) \(repair \d+\)"/g)].map(([, what = ""]) => what);
}
