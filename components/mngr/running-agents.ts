import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { agentFolder } from "./host-dir.ts";

/** What mngr 0.3.0 considers a shell. An agent with a shell in the foreground may have ended. */
const shells = new Set(["bash", "sh", "zsh", "fish", "dash", "ksh", "tcsh", "csh"]);

const format = [
  "#{@mngr_agent_id}",
  "#{@mngr_agent_pane}",
  "#{pane_id}",
  "#{pane_dead}",
  "#{pane_current_command}",
].join("\t");

/**
 * The ids of the local agents whose program is certainly running, according to tmux alone, which takes milliseconds.
 * mngr takes seconds to load, and considers these agents live for the same reason. For all others, mngr must be asked.
 *
 * @param env mngr's environment
 */
export function runningAgents(env: Readonly<Record<string, string>>): Promise<ReadonlySet<string>> {
  return new Promise((resolve) => {
    execFile("tmux", ["list-panes", "-a", "-F", format], { env, timeout: 5000 }, (error, stdout) =>
      resolve(new Set(error === null ? runningIn(stdout) : [])),
    );
  });
}

/** @param printed one line per pane, in the format above */
export function runningIn(printed: string): string[] {
  return printed.split("\n").flatMap((line) => {
    const [id = "", own, pane, dead, command = ""] = line.split("\t");
    const isRunning = own === pane && dead === "0" && command !== "" && !shells.has(command);
    return id !== "" && isRunning ? [id] : [];
  });
}

/** What mngr's files say about a local agent. */
export interface AgentFiles {
  /** Whether mngr has the agent. */
  readonly isKnown: boolean;
  /** ISO 8601, UTC; undefined if there was none, or the agent does not report it. */
  readonly userActivity: string | undefined;
  readonly agentActivity: string | undefined;
}

export function agentFiles(hostDir: string, agentId: string): AgentFiles {
  const folder = agentFolder(hostDir, agentId);
  const activity = (of: string) =>
    statSync(join(folder, "activity", of), { throwIfNoEntry: false })?.mtime.toISOString();
  return {
    isKnown: existsSync(join(folder, "data.json")),
    userActivity: activity("user"),
    agentActivity: activity("agent"),
  };
}
