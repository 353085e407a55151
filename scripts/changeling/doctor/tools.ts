import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { mngrVersion } from "../../../components/mngr/client.ts";
import { type Check, failed, ok } from "../../../components/stack/check.ts";
import { packageVersion } from "./package-version.ts";

/** Checks that the tools exist and have the right versions. */
export async function toolChecks(): Promise<Check[]> {
  const [jq, ...versions] = await Promise.all([
    messagesCheck(),
    version("git", ["--version"], "apt-get install git, or brew install git"),
    version("tmux", ["-V"], "apt-get install tmux, or brew install tmux"),
    version("rsync", ["--version"], "apt-get install rsync, or brew install rsync"),
    version("pulumi", ["version"], "npm run setup"),
    packaged("mngr", "imbue_mngr", mngrVersion),
    packaged("modal", "modal"),
  ]);
  const isRecent = Number(process.versions.node.split(".")[0]) >= 24;
  const node = isRecent
    ? ok("node", process.version)
    : failed("node", `${process.version}, but 24 is needed`, "npm run setup");
  return [node, ...versions, jq, pluginCheck()];
}

/** mngr uses jq to confirm that a message reached a Claude agent. */
async function messagesCheck(): Promise<Check> {
  const found = await version("jq", ["--version"], "apt-get install jq, or brew install jq");
  return found.status === "ok" ? found : { ...found, status: "warning", detail: "not found; Claude agents need it" };
}

/** Runs a tool to get its version; its output must contain `expected`. */
async function version(tool: string, args: string[], remedy: string, expected = ""): Promise<Check> {
  const { code, output } = await runForOutput(tool, args);
  if (code !== 0) return failed(tool, "not found, or it does not run", remedy);
  return versionCheck(tool, output.split("\n")[0] ?? "", remedy, expected);
}

function versionCheck(tool: string, said: string, remedy: string, expected: string): Check {
  return said.includes(expected) ? ok(tool, said) : failed(tool, `${said}, but ${expected} is needed`, remedy);
}

/** Reads the version of a Python package without starting it. */
async function packaged(tool: string, distribution: string, expected = ""): Promise<Check> {
  const found = packageVersion(tool, distribution, process.env["PATH"] ?? "");
  if (found === undefined) return version(tool, ["--version"], "npm run setup", expected);
  return versionCheck(tool, `${tool} ${found}`, "npm run setup", expected);
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

/**
 * Which `command` plugin runs the fleet's commands: Pulumi's own, or the replacement for machines that can't download
 * it.
 */
function pluginCheck(): Check {
  const home = process.env["PULUMI_HOME"] ?? join(process.env["HOME"] ?? "", ".pulumi");
  const folder = join(home, "plugins", "resource-command-v1.2.1");
  if (!existsSync(folder)) return failed("command plugin", "not installed", "npm run setup");
  const isStandIn = existsSync(join(folder, "start.cjs"));
  return ok(
    "command plugin",
    isStandIn ? "1.2.1, this project's stand-in (the official one can't be downloaded here)" : "1.2.1",
  );
}
