import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { checkout } from "../setup/cache.mjs";
import { addAdopt } from "./commands/adopt.ts";
import { addAuthorize } from "./commands/authorize.ts";
import { addDiscard } from "./commands/discard.ts";
import { addList } from "./commands/list.ts";
import { addLogs } from "./commands/logs.ts";
import { addPause } from "./commands/pause.ts";
import { addPlan } from "./commands/plan.ts";
import { addValidate } from "./commands/validate.ts";
import { addRun } from "./cron/run.ts";
import { addRuns } from "./cron/runs.ts";
import { addDoctor } from "./doctor/doctor.ts";
import { addSandbox } from "./sandbox/sandbox.ts";
import { addSeed } from "./seed-agent/seed.ts";
import { addDeploy } from "./web/deploy.ts";
import { addDestroy } from "./web/destroy.ts";
import { addForward } from "./web/forward.ts";
import { addLoginUrl } from "./web/login-url.ts";
import { addRevoke } from "./web/revoke.ts";
import { addSessions } from "./web/sessions.ts";
import { addStopStart } from "./web/stop-start.ts";
import { addUpdate } from "./web/update.ts";

/** All commands. Parsing invalid arguments throws a CommanderError after its message was printed. */
export function changelingProgram(): Command {
  const program = new Command("changeling")
    .description("A fleet of autonomous coding agents, declared in one TOML file and converged by `pulumi up`.")
    .version(readFileSync(join(checkout, "VERSION"), "utf8").trim(), "-V, --version", "print the version")
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
