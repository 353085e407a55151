import { Command } from "commander";
import { addAdopt } from "./commands/adopt.ts";
import { addAuthorize } from "./commands/authorize.ts";
import { addDeploy } from "./commands/deploy.ts";
import { addDestroy } from "./commands/destroy.ts";
import { addDiscard } from "./commands/discard.ts";
import { addForward } from "./commands/forward.ts";
import { addList } from "./commands/list.ts";
import { addLoginUrl } from "./commands/login-url.ts";
import { addLogs } from "./commands/logs.ts";
import { addPause } from "./commands/pause.ts";
import { addPlan } from "./commands/plan.ts";
import { addRevoke } from "./commands/revoke.ts";
import { addRun } from "./commands/run.ts";
import { addRuns } from "./commands/runs.ts";
import { addSessions } from "./commands/sessions.ts";
import { addStopStart } from "./commands/stop-start.ts";
import { addUpdate } from "./commands/update.ts";
import { addValidate } from "./commands/validate.ts";
import { addDoctor } from "./doctor/doctor.ts";
import { addSandbox } from "./sandbox/sandbox.ts";
import { addSeed } from "./seed/seed.ts";

/** All commands. Parsing invalid arguments throws a CommanderError after its message was printed. */
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
    ...[addAdopt, addDiscard, addSandbox, addSeed],
  ];
  for (const add of adds) add(program);
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError("(add --help for the options and examples)");
    // `changeling list --json` reads better than `changeling --json list`; both are accepted.
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
