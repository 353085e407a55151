import { Command } from "commander";
import { addAdopt } from "./adopt.ts";
import { addAuthorize } from "./authorize.ts";
import { addDeploy } from "./deploy.ts";
import { addDestroy } from "./destroy.ts";
import { addDiscard } from "./discard.ts";
import { addDoctor } from "./doctor.ts";
import { addForward } from "./forward.ts";
import { addList } from "./list.ts";
import { addLoginUrl } from "./login-url.ts";
import { addLogs } from "./logs.ts";
import { addPause } from "./pause.ts";
import { addPlan } from "./plan.ts";
import { addRevoke } from "./revoke.ts";
import { addRun } from "./run.ts";
import { addRuns } from "./runs.ts";
import { addSessions } from "./sessions.ts";
import { addStopStart } from "./stop-start.ts";
import { addUpdate } from "./update.ts";
import { addValidate } from "./validate.ts";

/** All commands; parsing a wrong one throws a CommanderError after its message was printed. */
export function changelingProgram(): Command {
  const program = new Command("changeling")
    .description("A fleet of autonomous coding agents, declared in one TOML file and converged by `pulumi up`.")
    .option("-s, --stack <name>", "the Pulumi stack to work on", process.env["CHANGELINGS_STACK"] ?? "dev")
    .option("--json", "print JSON, for scripts")
    .showHelpAfterError("(add --help for the options and examples)")
    .exitOverride();
  const adds = [
    ...[addDeploy, addUpdate, addForward, addLoginUrl, addStopStart, addDestroy, addRevoke, addSessions],
    ...[addPlan, addList, addRun, addRuns, addLogs, addPause, addValidate, addDoctor, addAuthorize],
    ...[addAdopt, addDiscard],
  ];
  for (const add of adds) add(program);
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError("(add --help for the options and examples)");
    // `changeling list --json` reads better than `changeling --json list`: both are taken.
    command.option("-s, --stack <name>", "the Pulumi stack to work on").option("--json", "print JSON, for scripts");
  }
  return program.addHelpText(
    "after",
    `
Exit codes: 0 done, 1 failed, 2 wrong use.

Examples:
  changeling plan                     what the next \`pulumi up\` changes, in words
  changeling list                     the fleet: when each fires next, and how it went last
  changeling run todo-ledger --wait   fire one now, and wait for what it does
  changeling deploy --agent-type chat make a web changeling, and print its login URL
  changeling open chat                open its page in the browser
  changeling doctor                   what is missing on this machine, and what to do`,
  );
}

/** The examples at the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  changeling ${line}`).join("\n")}`;
}
