import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@pulumi/command/local/command.js";
import * as pulumi from "@pulumi/pulumi";
import { perRun } from "./stack/per-run.ts";

/** The folder that holds `components/` and `scripts/`: the checkout, or the built package in node_modules. */
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));
/** `.ts` in a checkout, `.js` in the built package. */
const scriptExtension = existsSync(join(packageRoot, "scripts", "local-job.ts")) ? ".ts" : ".js";

export interface ScriptCommandArgs {
  /** Name of the script below `scripts/`, without extension: it is called with `apply` and with `remove`. */
  readonly script: string;
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
 * - Drift: the state keeps the DRIFT of its last mend. A healthy thing ignores it; one that drifted states it anew,
 *   which is a change, and the update mends it.
 */
export function scriptCommand(name: string, args: ScriptCommandArgs, opts: pulumi.CustomResourceOptions): Command {
  const run = `exec node ${scriptPath(args.script)}`;
  const secrets = Object.entries(args.secretEnvironment ?? {}).map(([key, value]) => [key, pulumi.secret(value)]);
  const quiet = args.drift === undefined ? { ignoreChanges: ["environment.DRIFT"] } : {};
  const command = new Command(
    name,
    {
      create: `${run} apply`,
      update: `${run} apply`,
      delete: `${run} remove`,
      environment: { ...defined(args.environment), ...Object.fromEntries(secrets), DRIFT: args.drift ?? "" },
      logging: "stderr",
      addPreviousOutputInEnv: false,
    },
    pulumi.mergeOptions(opts, { ...quiet, additionalSecretOutputs: ["stdout", "stderr"] }),
  );
  tellOnce(command);
  return command;
}

const failure = perRun(() => ({ isTold: false }));

/**
 * The engine has told why a Command failed, and the SDK would tell again, as an exception of the program with its
 * insides. That the program fails too must stay: else what is no longer declared would be removed, although what takes
 * its place may be what failed.
 */
function tellOnce(command: Command): void {
  // Looked up now: what fails later may run outside of this run's context.
  const run = failure();
  for (const output of Object.values(command)) if (pulumi.Output.isInstance(output)) pulumi.recover(output, () => {});
  pulumi.recover(command.urn, () => {
    if (run.isTold) return "";
    run.isTold = true;
    const message =
      "not all could be applied, for the reasons that stand with each; what is no longer declared is removed by the next up that succeeds";
    // Where the program has ended by then, its stack is shown in place of its message.
    void Promise.reject(Object.assign(new pulumi.RunError(message), { stack: message }));
    return "";
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
