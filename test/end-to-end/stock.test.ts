import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { type StockChangeling, stockChangeling } from "../../changelings/stock.ts";
import { createArguments, destroyArguments, listArguments } from "../../components/mngr/arguments.ts";
import { makeDemoRepo } from "../../scripts/stack/demo-repo.ts";

const stub = fileURLToPath(new URL("../support/stub-claude.mjs", import.meta.url));
let home: string;
let repo: string;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  // Short, since the paths of tmux's sockets are.
  home = mkdtempSync(join(tmpdir(), "stock-"));
  repo = join(home, "repo");
  makeDemoRepo(repo);
  for (const folder of ["bin", "tmux", "mngr"]) mkdirSync(join(home, folder));
  writeFileSync(join(home, "bin", "claude"), `#!/bin/sh\nexec "${process.execPath}" "${stub}" "$@"\n`, { mode: 0o755 });
  writeFileSync(join(home, "agent.env"), "");
  env = {
    PATH: [join(home, "bin"), process.env["PATH"]].join(delimiter),
    HOME: home,
    LANG: "C.UTF-8",
    TMUX_TMPDIR: join(home, "tmux"),
    MNGR_HOST_DIR: join(home, "mngr"),
    MNGR__PROVIDERS__MODAL__IS_ENABLED: "false",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    ANTHROPIC_API_KEY: "not-a-key",
  };
});

afterAll(() => {
  const agents = list().map(({ id }) => id);
  if (agents.length > 0) run("mngr", destroyArguments(agents));
  run("tmux", ["kill-server"]);
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

function run(program: string, args: readonly string[]) {
  const ended = spawnSync(program, args, { cwd: repo, env, encoding: "utf8", timeout: 120_000 });
  if (ended.error !== undefined) throw ended.error;
  return ended;
}

const listed = z.object({
  agents: z.array(z.object({ id: z.string(), name: z.string(), type: z.string(), state: z.string() })),
});

/** All agents; a warning about any of them is an error. */
function list() {
  const { stdout, stderr } = run("mngr", listArguments());
  expect(stderr).toBe("");
  return listed.parse(JSON.parse(stdout)).agents;
}

/** Creates an agent as a run does. Returns mngr's folder of the agent. */
function create(stock: StockChangeling | undefined, agentArgs: readonly string[] = []): string {
  if (stock === undefined) throw new Error("there is no such stock changeling");
  const messageFile = join(home, `${stock.name}.md`);
  if (stock.message !== undefined) writeFileSync(messageFile, stock.message);
  const args = createArguments({
    agent: `${stock.name}-1`,
    type: stock.parentType,
    base: "main",
    branch: `changelings/${stock.name}-1`,
    labels: { CREATOR: "changeling", changeling: stock.name },
    envFile: join(home, "agent.env"),
    messageFile: stock.message === undefined ? undefined : messageFile,
    settings: stock.settings,
    buildArgs: [],
    agentArgs,
  });
  const { status, stdout, stderr } = run("mngr", args);
  expect(status, stderr).toBe(0);
  expect(stderr).not.toMatch(/WARNING|Error/);
  const { agent_id: id } = z.object({ agent_id: z.string() }).parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  return join(home, "mngr", "agents", id);
}

const settingsFile = z.object({
  permissions: z.object({ deny: z.array(z.string()) }),
  hooks: z.object({ PermissionRequest: z.array(z.unknown()) }),
});
const readJson = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), "utf8"));

/** The arguments, first message and permissions of a claude agent. */
function startOf(agent: string) {
  const settings = settingsFile.parse(readJson(agent, "plugin", "claude", "anthropic", "settings.json"));
  return {
    argv: z.array(z.string()).parse(readJson(agent, "argv.json")),
    message: readJson(agent, "messages.jsonl"),
    denied: settings.permissions.deny,
    isAllowedUnasked: JSON.stringify(settings.hooks.PermissionRequest).includes('\\"behavior\\":\\"allow\\"'),
  };
}

it("a claude one gets its prompt, permissions and limits, and mngr knows its type ever after", () => {
  const stock = stockChangeling("test-troll");
  const { argv, message, denied, isAllowedUnasked } = startOf(create(stock));
  expect(message).toBe(stock?.message);
  expect(argv).toContain("AskUserQuestion");
  expect(argv[argv.indexOf("--append-system-prompt") + 1]).toMatch(/^# The rules of/);
  expect(isAllowedUnasked).toBe(true);
  expect(denied).toContain("Bash(git push --force:*)");
  expect(list()).toMatchObject([{ name: "test-troll-1", type: "claude", state: "WAITING" }]);
});

it.each(["fixme-fairy", "code-guardian"])("%s is mngr's: its command is there, with our prompt above it", (name) => {
  const stock = stockChangeling(name);
  const agent = create(stock);
  const skill = join(agent, "plugin", "claude", "anthropic", "skills", name, "SKILL.md");
  expect(existsSync(skill)).toBe(true);
  const { argv, message, denied, isAllowedUnasked } = startOf(agent);
  expect(message).toBe(`/${name}`);
  expect(argv[argv.indexOf("--append-system-prompt") + 1]).toMatch(
    new RegExp(`^# You are ${name}\n[^]*# The rules of`),
  );
  expect(isAllowedUnasked).toBe(true);
  expect(denied).toContain("Bash(git push --force:*)");
  expect(list()).toContainEqual(expect.objectContaining({ name: `${name}-1`, type: name, state: "WAITING" }));
});

it("todo-ledger commits its report on its own branch, and is done", async () => {
  const stock = stockChangeling("todo-ledger");
  const script = join(home, "agent.sh");
  writeFileSync(script, stock?.script ?? "");
  const git = (...args: string[]) => run("git", args).stdout.trim();
  const main = git("rev-parse", "main");
  create(stock, ["/bin/sh", script]);
  await vi.waitFor(() => expect(git("rev-list", "--count", "main..changelings/todo-ledger-1")).toBe("1"), {
    timeout: 100_000,
    interval: 200,
  });
  expect(git("log", "-1", "--format=%an: %s", "changelings/todo-ledger-1")).toBe(
    "Demo: Update the TODO ledger: 13 open, 13 new, 0 resolved",
  );
  expect(git("show", "changelings/todo-ledger-1:TODO-LEDGER.md")).toContain("13 open");
  expect(git("rev-parse", "main")).toBe(main);
  await vi.waitFor(
    () =>
      expect(list()).toContainEqual(expect.objectContaining({ name: "todo-ledger-1", type: "command", state: "DONE" })),
    { timeout: 100_000, interval: 1000 },
  );
});
