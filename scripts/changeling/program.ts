import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { checkout } from "../stack/setup/cache.mjs";
import { addSharedOptions, withHint } from "./options.ts";

type Add = (program: Command) => void;

/**
 * The commands by what they are for, in the order of the help, with the modules that add them. A command starts a quarter
 * faster without loading those of all others.
 */
const groups: Readonly<Record<string, Readonly<Record<string, () => Promise<Add>>>>> = {
  "The fleet": {
    plan: async () => (await import("./commands/plan.ts")).addPlan,
    list: async () => (await import("./commands/list.ts")).addList,
    logs: async () => (await import("./commands/logs.ts")).addLogs,
    "pause resume": async () => (await import("./commands/pause.ts")).addPause,
    validate: async () => (await import("./commands/validate.ts")).addValidate,
    doctor: async () => (await import("./doctor/doctor.ts")).addDoctor,
  },
  "Scheduled changelings": {
    run: async () => (await import("./cron/run.ts")).addRun,
    runs: async () => (await import("./cron/runs.ts")).addRuns,
  },
  "Web changelings": {
    deploy: async () => (await import("./web/deploy.ts")).addDeploy,
    update: async () => (await import("./web/update.ts")).addUpdate,
    forward: async () => (await import("./web/forward.ts")).addForward,
    "login-url open": async () => (await import("./web/login-url.ts")).addLoginUrl,
    "stop start": async () => (await import("./web/stop-start.ts")).addStopStart,
    destroy: async () => (await import("./web/destroy.ts")).addDestroy,
    revoke: async () => (await import("./web/revoke.ts")).addRevoke,
    "sessions metrics": async () => (await import("./web/sessions.ts")).addSessions,
  },
  "Sandboxes and seed agents": {
    sandbox: async () => (await import("./sandbox/sandbox.ts")).addSandbox,
    seed: async () => (await import("./seed-agent/seed.ts")).addSeed,
  },
  "Stacks and machines": {
    authorize: async () => (await import("./commands/authorize.ts")).addAuthorize,
    adopt: async () => (await import("./commands/adopt.ts")).addAdopt,
    discard: async () => (await import("./commands/discard.ts")).addDiscard,
  },
};

/**
 * Parsing invalid arguments throws a CommanderError after its message was printed.
 *
 * @param first the first argument: if it is a command, the program has only this one, and otherwise all
 */
export async function changelingProgram(first?: string): Promise<Command> {
  const defaultStack = process.env["CHANGELINGS_STACK"] ?? "dev";
  const parts = Object.entries(groups).flatMap(([heading, group]) =>
    Object.entries(group).map(([names, load]) => ({ heading, names: names.split(" "), load })),
  );
  const named = parts.filter(({ names }) => names.includes(first ?? ""));
  const program = withHint(new Command("changeling"))
    .description("A fleet of autonomous coding agents, declared in one TOML file and converged by `pulumi up`.")
    .option("-s, --stack <name>", "the Pulumi stack to work on", defaultStack)
    .option("--json", "print JSON, for scripts");
  // After a command, it would be taken for the command's own: `seed checkout sprout ./old --version v3`.
  if (named.length === 0)
    program.version(readFileSync(join(checkout, "VERSION"), "utf8").trim(), "-V, --version", "print the version");
  for (const { heading, load } of named.length > 0 ? named : parts) {
    program.commandsGroup(`${heading}:`);
    (await load())(program);
  }
  addSharedOptions(program.commands, ` (default: "${defaultStack}")`);
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
