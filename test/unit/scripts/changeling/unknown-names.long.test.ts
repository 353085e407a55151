import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writePrivateFile } from "../../../../components/host/files.ts";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { writeRecord } from "../../../../components/web/agent/record.ts";
import { devStack } from "../../../../scripts/stack/dev-stack.ts";
import { installationOf } from "../../../../scripts/stack/stack.ts";
import { changelingInProcess } from "../../../support/run-in-process.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "unknown-"));
  mkdirSync(join(home, "bin"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function pulumi(...script: string[]): void {
  writeFileSync(join(home, "bin/pulumi"), ["#!/bin/sh", ...script].join("\n"), { mode: 0o755 });
}

/** What a command ends with, the first line of its stderr at most. */
async function changeling(...args: string[]) {
  const { code, stdout, stderr } = await changelingInProcess(args, {
    PATH: `${join(home, "bin")}:/usr/bin:/bin`,
    HOME: home,
    PULUMI_HOME: home,
    MODAL_CONFIG_PATH: join(home, "modal.toml"),
  });
  return { status: code, stdout, said: stderr.split("\n").find((line) => line.startsWith("error: ")) };
}

/** Every command that reads a stack; those that edit or apply the fleet file read its settings from Pulumi first. */
const commands = [
  ["list"],
  ["runs"],
  ["runs", "chat"],
  ["logs", "chat"],
  ["run", "chat"],
  ["open", "chat"],
  ["login-url", "chat"],
  ["revoke", "chat"],
  ["revoke", "--all"],
  ["sessions"],
  ["sessions", "chat"],
  ["metrics"],
  ["forward"],
  ["validate"],
  ["plan"],
  ["pause", "chat"],
  ["resume", "chat"],
  ["stop", "chat"],
  ["start", "chat"],
  ["update", "chat"],
  ["destroy", "chat", "--yes"],
  ["deploy", "--agent-type", "chat"],
];

describe("a stack that does not exist", () => {
  it.each(commands)("is an error of: %s %s", async (...args) => {
    pulumi(
      `if [ "$1 $2" = "stack ls" ]; then echo '[{"name": "production"}]'; exit 0; fi`,
      `echo "error: no stack named 'prodution' found" >&2; exit 255`,
    );
    expect(await changeling("--stack", "prodution", ...args.filter((each) => each !== undefined))).toEqual({
      status: 1,
      stdout: "",
      said: 'error: there is no stack "prodution"; did you mean production?',
    });
  });

  it.each(["list", "plan", "validate"])("is an error of %s where nobody is logged in", async (name) => {
    pulumi("echo 'error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions' >&2; exit 255");
    expect(await changeling("--stack", "production", name)).toMatchObject({
      status: 1,
      said: 'error: you are not logged in to a Pulumi backend, so the stack "production" can\'t be read',
    });
  });

  it("names npm start where the embedded default was not made", async () => {
    expect(await changeling("list")).toMatchObject({
      status: 1,
      said: expect.stringContaining("create it with: npm start"),
    });
  });
});

describe("a name that nothing has", () => {
  beforeEach(() => {
    pulumi("echo '{}'");
    const stack = devStack(home);
    const paths = installationPaths(installationOf(stack), home);
    writePrivateFile(stack.configFile ?? "", "");
    writePrivateFile(join(paths.jobs, "todo-ledger.json"), "{}");
    const record = { version: 1, provider: "local", repo: "/r", data: "/d" } as const;
    const agentId = `agent-${"0".repeat(32)}`;
    writeRecord(paths, { ...record, agentId, name: "chat", agentName: "chat" });
    writeRecord(paths, { ...record, agentId, name: "gone", agentName: "gone", removed: true });
  });

  const none = 'no changeling "todo-ledgr" is deployed on this stack; did you mean todo-ledger?';
  it.each([
    [["runs", "todo-ledgr"], none],
    [["logs", "todo-ledgr"], none],
    [["logs", "todo-ledgr", "some-run"], none],
    [["run", "todo-ledgr"], none],
    [["runs", "chatt"], 'no changeling "chatt" is deployed on this stack; did you mean chat?'],
    [["runs", "zzz"], 'no changeling "zzz" is deployed on this stack; deployed are: todo-ledger, chat'],
    [["open", "chatt"], 'no web changeling "chatt" is deployed on this stack; did you mean chat?'],
    [["logs", "gone"], "gone was removed; its repo is kept in /r, and is used again if you declare gone again"],
  ])("%j: %s", async (args, said) => {
    expect(await changeling(...args)).toEqual({ status: 1, stdout: "", said: `error: ${said}` });
  });

  it("is not one that has no runs yet", async () => {
    expect(await changeling("runs", "todo-ledger")).toEqual({ status: 0, stdout: "No runs yet.\n", said: undefined });
  });
});
