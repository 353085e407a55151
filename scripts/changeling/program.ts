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

/** The commands by what they are for, in the order of the help. */
const groups: Readonly<Record<string, readonly ((program: Command) => void)[]>> = {
  "The fleet": [addPlan, addList, addLogs, addPause, addValidate, addDoctor],
  "Scheduled changelings": [addRun, addRuns],
  "Web changelings": [
    ...[addDeploy, addUpdate, addForward, addLoginUrl, addStopStart, addDestroy, addRevoke, addSessions],
  ],
  "Sandboxes and seed agents": [addSandbox, addSeed],
  "Stacks and machines": [addAuthorize, addAdopt, addDiscard],
};

/** All commands. Parsing invalid arguments throws a CommanderError after its message was printed. */
export function changelingProgram(): Command {
  const defaultStack = process.env["CHANGELINGS_STACK"] ?? "dev";
  const program = new Command("changeling")
    .description("A fleet of autonomous coding agents, declared in one TOML file and converged by `pulumi up`.")
    .version(readFileSync(join(checkout, "VERSION"), "utf8").trim(), "-V, --version", "print the version")
    .option("-s, --stack <name>", "the Pulumi stack to work on", defaultStack)
    .option("--json", "print JSON, for scripts")
    .showHelpAfterError("(add --help for the options and examples)")
    .exitOverride();
  for (const [heading, adds] of Object.entries(groups)) {
    program.commandsGroup(`${heading}:`);
    for (const add of adds) add(program);
  }
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError("(add --help for the options and examples)");
    // `changeling list --json` reads better than `changeling --json list`; both are accepted.
    command
      .option("-s, --stack <name>", `the Pulumi stack to work on (default: "${defaultStack}")`)
      .option("--json", "print JSON, for scripts");
  }
  return program.addHelpText(
    "after",
    `
Exit codes: 0 done, 1 failed, 2 wrong use.

Examples:
  changeling plan                      what the next \`pulumi up\` changes, in words
  changeling list                      the fleet: when each changeling fires next, and how its last run ended
  changeling run todo-ledger --wait    fire a changeling now, and wait until the run has ended
  changeling deploy --agent-type chat  create a web changeling, and print its login URL
  changeling open chat                 open its page in the browser
  changeling doctor                    what is wrong on this machine, and how to repair it`,
  );
}
