import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@pulumi/command/local/command.js";
import * as pulumi from "@pulumi/pulumi";
import { nextRepair } from "./lib/repairs.ts";
import { statedCommands } from "./stack/installation.ts";
import { perRun } from "./stack/per-run.ts";
import { commandNamed } from "./stack/state.ts";

/** The folder with `components/` and `scripts/`: the checkout, or the built package in node_modules. */
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));
/** `.ts` in a checkout, `.js` in the built package. */
const scriptExtension = existsSync(join(packageRoot, "scripts", "command.ts")) ? ".ts" : ".js";

export interface ScriptCommandArgs {
  /** Name of the command in the tables of `scripts/command.ts`. It is called with `apply` and with `remove`. */
  readonly command: string;
  /** The script's inputs, readable because previews show them. No secrets, and nothing that depends on the clock. */
  readonly environment: Readonly<Record<string, pulumi.Input<string> | undefined>>;
  /** Values that are encrypted in the state and redacted in previews. */
  readonly secretEnvironment?: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * For a command whose output is a secret that is created once. Its script gets its last output as
   * PULUMI_COMMAND_STDOUT, and nothing that it prints is logged.
   */
  readonly keepsOutput?: boolean;
  /** How the live thing differs from what the last `up` deployed, as text; undefined if it does not. */
  readonly drift: string | undefined;
}

/**
 * The only way to create a command.local.Command here.
 *
 * - The resource's name identifies the thing. Everything that may change is in its environment, field by field, so that
 *   the engine shows before and after. `triggers` would replace it (create the new one, then delete it as the old).
 * - `create` and `update` are one idempotent script: the next `up` adopts a create that failed half-way.
 * - Drift: the state contains the DRIFT of the last repair, which a healthy thing keeps. A thing that drifted gets a
 *   new one, which is a change, and the update repairs it.
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
      logging: args.keepsOutput === true ? "none" : "stderr",
      addPreviousOutputInEnv: args.keepsOutput === true,
    },
    pulumi.mergeOptions(opts, { ...quiet, additionalSecretOutputs: ["stdout", "stderr"] }),
  );
  failOnce(name, command);
  return command;
}

/**
 * The DRIFT of a Command.
 *
 * @param former names of the Command
 * @returns for instance `its job file is missing (repair 2)`; empty if nothing drifted, and before its first `up`
 */
export function repairOf(
  name: string,
  drift: string | undefined,
  former: readonly string[] = [],
): pulumi.Input<string> {
  if (drift === undefined) return "";
  return statedCommands().then((commands) => {
    const [last] = [name, ...former].flatMap((each) => commandNamed(commands, each) ?? []);
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

/** One error for all Commands of a run, because the SDK prints the same error only once. */
const notApplied = perRun(() => {
  const error = new pulumi.RunError(
    "not everything could be applied; the errors above name the resources and the reasons. Resources that are no longer declared are removed by the next up that succeeds",
  );
  // If the program has already ended, the SDK prints the stack in place of the message.
  error.stack = error.message;
  return error;
});

/**
 * The engine already prints why a Command failed, and the SDK would print it again, as an exception with a stack trace.
 * But the program must fail: otherwise the engine removes resources that are no longer declared, although their
 * replacements may have failed. An error thrown in an output's callback fails the program.
 */
function failOnce(name: string, command: Command): void {
  // Looked up here, because a later failure may occur outside of this run's context.
  const error = notApplied();
  for (const output of Object.values(command)) if (pulumi.Output.isInstance(output)) pulumi.recover(output, () => {});
  pulumi.recover(command.urn, (failure) => {
    explainDependents(name, failure);
    throw error;
  });
}

/**
 * What depends on a failed Command fails with the Command's own error, which nothing can handle: the SDK throws it again
 * while it prepares the dependent. It would print it as an exception of the program, and prints a RunError in words.
 */
function explainDependents(name: string, failure: unknown): void {
  // A dependent fails with the error of the Command that failed first.
  if (!(failure instanceof Error) || pulumi.RunError.isInstance(failure)) return;
  const message = `what depends on ${name} was not applied either`;
  Object.assign(failure, new pulumi.RunError(message), { message, stack: message });
}

function defined(environment: ScriptCommandArgs["environment"]): Record<string, pulumi.Input<string>> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

/** Relative to the project, so that another checkout or machine shows no change. */
function scriptPath(script: string): string {
  const path = relative(process.cwd(), join(packageRoot, "scripts", script + scriptExtension));
  // The path is part of a shell command. Its own part is safe, but a folder above it may have any name.
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
