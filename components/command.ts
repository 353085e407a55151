import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@pulumi/command/local/command.js";
import * as pulumi from "@pulumi/pulumi";
import { nextRepair } from "./lib/repairs.ts";
import { statedCommands } from "./stack/installation.ts";
import { perRun } from "./stack/per-run.ts";

/** The folder that holds `components/` and `scripts/`: the checkout, or the built package in node_modules. */
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));
/** `.ts` in a checkout, `.js` in the built package. */
const scriptExtension = existsSync(join(packageRoot, "scripts", "command.ts")) ? ".ts" : ".js";

export interface ScriptCommandArgs {
  /** Name of the command, as in the tables of `scripts/command.ts`: it is called with `apply` and with `remove`. */
  readonly command: string;
  /** What the script reads, in words that a person wants to see in a preview. Nothing secret, nothing that moves with the clock. */
  readonly environment: Readonly<Record<string, pulumi.Input<string> | undefined>>;
  /** Values that are encrypted in the state and masked in previews. */
  readonly secretEnvironment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** How the live thing differs from what the last `up` left, in words; undefined when it does not. */
  readonly drift: string | undefined;
}

/**
 * The one way to run a command.local.Command here.
 *
 * - What identifies the thing is the resource's name; what may change is in its environment, field by field, so that
 *   the engine itself shows before and after. `triggers` would replace (create the new, then delete it as the old).
 * - `create` and `update` are one idempotent script: a create that died half-way is adopted by the next `up`.
 * - Drift: the state keeps the DRIFT of the last repair. A healthy thing ignores it; one that drifted gets a new one,
 *   which is a change, and the update repairs it.
 */
export function scriptCommand(name: string, args: ScriptCommandArgs, opts: pulumi.CustomResourceOptions): Command {
  const run = `exec node ${scriptPath("command")} ${args.command}`;
  const secrets = Object.entries(args.secretEnvironment ?? {}).map(([key, value]) => [key, pulumi.secret(value)]);
  const quiet = args.drift === undefined ? { ignoreChanges: ["environment.DRIFT"] } : {};
  const command = new Command(
    name,
    {
      create: `${run} apply`,
      update: `${run} apply`,
      delete: `${run} remove`,
      environment: {
        ...defined(args.environment),
        ...Object.fromEntries(secrets),
        DRIFT: repairOf(name, args.drift, formerNames(opts)),
      },
      logging: "stderr",
      addPreviousOutputInEnv: false,
    },
    pulumi.mergeOptions(opts, { ...quiet, additionalSecretOutputs: ["stdout", "stderr"] }),
  );
  failOnce(command);
  return command;
}

/**
 * The DRIFT of a Command.
 *
 * @param former names that the Command had
 * @returns for instance `its job file is missing (repair 2)`; empty when nothing drifted, and before its first `up`
 */
export function repairOf(
  name: string,
  drift: string | undefined,
  former: readonly string[] = [],
): pulumi.Input<string> {
  if (drift === undefined) return "";
  return statedCommands().then((commands) => {
    const last = [name, ...former].flatMap((each) => commands.find(({ urn }) => urn.endsWith(`::${each}`)) ?? [])[0];
    return last === undefined ? "" : nextRepair(drift, String(last.environment["DRIFT"]));
  });
}

function formerNames({ aliases }: pulumi.CustomResourceOptions): string[] {
  const all: readonly unknown[] = Array.isArray(aliases) ? aliases : [];
  return all.flatMap((alias) => {
    if (typeof alias !== "object" || alias === null || !("name" in alias)) return [];
    return typeof alias.name === "string" ? [alias.name] : [];
  });
}

/** One error for all Commands of a run: the SDK prints the same one once. */
const notApplied = perRun(() => {
  const error = new pulumi.RunError(
    "not everything could be applied; the reason is given with each resource. What is no longer declared is removed by the next up that succeeds",
  );
  // Where the program has ended by then, the SDK prints this in place of the message.
  error.stack = error.message;
  return error;
});

/**
 * The engine prints why a Command failed. The SDK would print it again, as an exception of the program with its stack.
 * But the program has to fail: otherwise the engine removes what is no longer declared, although what replaces it may be
 * what failed. As with any output, an error that its callback throws fails the program.
 */
function failOnce(command: Command): void {
  // Looked up now: what fails later may run outside of this run's context.
  const error = notApplied();
  for (const output of Object.values(command)) if (pulumi.Output.isInstance(output)) pulumi.recover(output, () => {});
  pulumi.recover(command.urn, () => {
    throw error;
  });
}

function defined(environment: ScriptCommandArgs["environment"]): Record<string, pulumi.Input<string>> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

/** Relative to the project, so that another checkout or machine shows no change. */
function scriptPath(script: string): string {
  const path = relative(process.cwd(), join(packageRoot, "scripts", script + scriptExtension));
  // The path stands in a shell command; it is ours, but a folder above it may be named anything.
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
