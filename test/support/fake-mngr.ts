/**
 * Replaces mngr in tests of its callers, so that they are fast: agents are commands in git worktrees, on real branches.
 * It supports exactly what components/mngr calls and reads. Its state and the test's settings are files in ~/fake-mngr:
 *   version            the output of --version
 *   create-error.json  { "error_class", "message", "leavesAgent" }: the error of every create
 *   create-seconds     how long every create takes
 *   stop-error         the error text of every stop
 *   calls.jsonl        the argument list of each call
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(`${process.env["HOME"]}`, "fake-mngr");
const agents = join(folder, "agents");
// The test has ended and its folder is removed, so the caller has ended too.
if (!existsSync(agents)) process.exit(1);
const args = process.argv.slice(2);
appendFileSync(join(folder, "calls.jsonl"), `${JSON.stringify(args)}\n`);

interface Agent {
  readonly id: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly pid: number;
  readonly isStopped: boolean;
}

const wanted = (name: string) => {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
};
const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
const option = (name: string) => args[args.indexOf(name) + 1] ?? "";
const known = (): Agent[] => readdirSync(agents).map((id) => JSON.parse(readFileSync(join(agents, id), "utf8")));
const save = (agent: Agent) => writeFileSync(join(agents, agent.id), JSON.stringify(agent));
const git = (cwd: string, ...words: string[]) => execFileSync("git", words, { cwd, encoding: "utf8" }).trim();
const addressed = () => {
  const names = args.filter((arg) => arg.endsWith("@localhost.local")).map((arg) => arg.replace(/@.*/, ""));
  return known().filter(({ id, name }) => names.includes(id) || names.includes(name));
};

const worktreeOf = ({ name, id }: Agent) => join(folder, "worktrees", `${name}-${id.replace("agent-", "")}`);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function stop(agent: Agent): void {
  try {
    // 0 would be our own group, which includes the test.
    if (agent.pid > 0) process.kill(-agent.pid, "SIGKILL");
  } catch {
    // It has exited.
  }
  save({ ...agent, isStopped: true });
}

async function create(): Promise<void> {
  const seconds = Number(wanted("create-seconds") ?? 0);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const labels = args.filter((_, index) => args[index - 1] === "--label").map((label) => label.split("=", 2));
  const id = args.includes("--id") ? option("--id") : `agent-${randomBytes(16).toString("hex")}`;
  const agent = { id, name: args[1] ?? "", labels: Object.fromEntries(labels), pid: 0, isStopped: true };
  const [base = "", branch = ""] = option("--branch").split(":");
  const failure = JSON.parse(wanted("create-error.json") ?? "null");
  if (failure?.leavesAgent) {
    save(agent);
    git(".", "branch", branch, base);
  }
  if (failure !== null) {
    print({ event: "error", error_class: failure.error_class, message: failure.message });
    process.exit(1);
  }
  const worktree = worktreeOf(agent);
  git(".", "worktree", "add", "--quiet", "--no-track", "-b", branch, worktree, base);
  const environment = Object.fromEntries(
    readFileSync(option("--env-file"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => [line.slice(0, line.indexOf("=")), JSON.parse(line.slice(line.indexOf("=") + 1))]),
  );
  const [command = "", ...words] = args.slice(args.indexOf("--") + 1);
  const terminal = openSync("/dev/null", "r+");
  // The cache is this program's own.
  const env = { ...process.env, NODE_COMPILE_CACHE: undefined, ...environment };
  const child = spawn(command, words, { cwd: worktree, env, stdio: [terminal, terminal, terminal], detached: true });
  child.unref();
  save({ ...agent, pid: child.pid ?? 0, isStopped: false });
  print({ event: "created", agent_id: agent.id, host_id: "host-1", host_name: "localhost" });
}

switch (args[0]) {
  case "--version":
    process.stdout.write(`mngr ${wanted("version") ?? "0.3.0"}\n`);
    break;
  case "create":
    await create();
    break;
  case "list": {
    const state = ({ pid, isStopped }: Agent) => (isStopped ? "STOPPED" : isAlive(pid) ? "WAITING" : "DONE");
    print({ agents: known().map((agent) => ({ ...agent, state: state(agent), plugin: {} })), errors: [] });
    break;
  }
  case "stop":
    if (wanted("stop-error") !== undefined) {
      process.stderr.write(`Error: ${wanted("stop-error")}\n`);
      process.exit(1);
    }
    for (const agent of addressed()) stop(agent);
    break;
  case "destroy":
    for (const agent of addressed()) {
      stop(agent);
      const worktree = worktreeOf(agent);
      if (existsSync(worktree)) {
        // A worktree knows its repository. git removes one only from outside it.
        const common = git(worktree, "rev-parse", "--git-common-dir");
        git(folder, "--git-dir", common, "worktree", "remove", "--force", worktree);
      }
      rmSync(join(agents, agent.id));
    }
    break;
  default:
    process.stderr.write(`Error: the stand-in knows no ${args[0]}\n`);
    process.exit(2);
}
