import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { schedulerState } from "../../components/cron/local/state.ts";
import { bootInstructions } from "../../components/cron/local/supervise.ts";
import { formatFaults } from "../../components/fleet/index.ts";
import { mngrVersion } from "../../components/mngr/client.ts";
import { answer, type Context, contextOf, errorsOf, fleetOf } from "./context.ts";
import { examples } from "./program.ts";

interface Check {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What to do; undefined when nothing is. */
  readonly remedy?: string;
}

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("check tools, versions, secrets, the fleet file and the scheduler, and say what to do")
    .addHelpText("after", examples("doctor", "doctor --json"))
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      const checks = [...(await toolChecks()), ...(await fleetChecks(context)), schedulerCheck(context)];
      answer(context, checks, checks.map(checkText).join("\n"));
      if (checks.some(({ status }) => status === "failed")) process.exitCode = 1;
    });
}

function checkText({ name, status, detail, remedy }: Check): string {
  const mark = { ok: "ok     ", warning: "warning", failed: "FAILED " }[status];
  return `${mark}  ${name}: ${detail}${remedy === undefined ? "" : `\n         ${remedy}`}`;
}

async function toolChecks(): Promise<Check[]> {
  const versions = await Promise.all([
    version("git", ["--version"], "apt-get install git, or brew install git"),
    version("tmux", ["-V"], "apt-get install tmux, or brew install tmux"),
    version("rsync", ["--version"], "apt-get install rsync, or brew install rsync"),
    version("pulumi", ["version"], "npm run setup"),
    version("mngr", ["--version"], "npm run setup", mngrVersion),
    version("modal", ["--version"], "npm run setup"),
  ]);
  const node = Number(process.versions.node.split(".")[0]) >= 24;
  const nodeCheck: Check = node
    ? { name: "node", status: "ok", detail: process.version }
    : { name: "node", status: "failed", detail: `${process.version}, but 24 is needed`, remedy: "npm run setup" };
  return [nodeCheck, ...versions, await messagesCheck(), pluginCheck()];
}

/** mngr confirms with jq that a message reached a Claude agent. */
async function messagesCheck(): Promise<Check> {
  const found = await version("jq", ["--version"], "apt-get install jq, or brew install jq");
  return found.status === "ok" ? found : { ...found, status: "warning", detail: "not found; Claude agents need it" };
}

/** Runs a tool for its version; `expected` must stand in what it prints. */
async function version(tool: string, args: string[], remedy: string, expected = ""): Promise<Check> {
  const { code, output } = await runForOutput(tool, args);
  if (code !== 0) return { name: tool, status: "failed", detail: "not found, or it does not run", remedy };
  const first = output.split("\n")[0] ?? "";
  if (!first.includes(expected)) {
    return { name: tool, status: "failed", detail: `${first}, but ${expected} is needed`, remedy };
  }
  return { name: tool, status: "ok", detail: first };
}

function runForOutput(tool: string, args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(tool, args, { stdio: ["ignore", "pipe", "ignore"], timeout: 30_000 });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", () => resolve({ code: 127, output: "" }));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Which `command` plugin runs the fleet's commands: Pulumi's own, or the stand-in for machines that can't fetch it. */
function pluginCheck(): Check {
  const home = process.env["PULUMI_HOME"] ?? join(process.env["HOME"] ?? "", ".pulumi");
  const folder = join(home, "plugins", "resource-command-v1.2.1");
  if (!existsSync(folder)) {
    return { name: "command plugin", status: "failed", detail: "not installed", remedy: "npm run setup" };
  }
  const isStandIn = existsSync(join(folder, "start.cjs"));
  return {
    name: "command plugin",
    status: "ok",
    detail: isStandIn ? "1.2.1, our stand-in (no download here)" : "1.2.1",
  };
}

async function fleetChecks(context: Context): Promise<Check[]> {
  try {
    const loaded = await fleetOf(context.stack);
    const faults = errorsOf(loaded.faults);
    if (faults.length > 0 || loaded.fleet === undefined) {
      const detail = `${loaded.file} has faults:\n${formatFaults(loaded.faults)}`;
      return [{ name: "fleet file", status: "failed", detail, remedy: "mend the lines above" }];
    }
    const secrets: Check[] = loaded.missingSecrets.map(({ changeling, names }) => ({
      name: `secrets of ${changeling}`,
      status: "warning",
      detail: `${names.join(" or ")} is not set here`,
      remedy: `set it where you run \`pulumi up\`, or: npm run pulumi -- config set --secret changelings:${names[0]}`,
    }));
    const detail = `${loaded.file}, ${loaded.fleet.changelings.length} declared`;
    return [{ name: "fleet file", status: "ok", detail }, ...secrets];
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ name: "fleet file", status: "failed", detail }];
  }
}

function schedulerCheck(context: Context): Check {
  const state = schedulerState(context.paths);
  if (!state.alive) {
    const remedy = "start it with: npm run pulumi -- up (the next preview shows it as drift)";
    return { name: "scheduler", status: "failed", detail: "not running, so nothing fires", remedy };
  }
  const detail = `running (pid ${state.pid})`;
  if (!state.current)
    return {
      name: "scheduler",
      status: "warning",
      detail: `${detail}, an older program`,
      remedy: "npm run pulumi -- up",
    };
  const remedy = bootInstructions(context.paths);
  return { name: "scheduler", status: "ok", detail, ...(remedy === undefined ? {} : { remedy }) };
}
