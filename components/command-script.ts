import * as z from "zod/mini";
import { allowedEnvironment, isSetupVariable } from "./lib/environment.ts";
import { commandVariables } from "./lib/own-commands.ts";
import { printNote } from "./lib/terminal.ts";

export interface Script<Shape> {
  /** The variables that it reads, all strings: the environment of its Command. */
  readonly variables: z.ZodMiniType<Shape>;
  /** Other variables of `pulumi up`'s environment that it may see, besides those that every program here may see. */
  readonly keeps?: (variable: string) => boolean;
  /** After this time it is killed, and its resource fails. */
  readonly timeoutSeconds: number;
  /** Creates or updates the thing, whatever its state. The result is printed as one JSON line. */
  readonly apply: (variables: Shape) => Promise<Record<string, unknown>>;
  /** Removes the thing. Succeeds if it is already gone, throws if it can't be removed. */
  readonly remove: (variables: Shape) => Promise<Record<string, unknown>>;
}

/** The engine stores a script's stdout in its state, so it must be short. */
const outputLimitBytes = 4096;

/** The default export of a `*.command.ts`. */
export interface CommandScript {
  /** Runs a Command's `create` and `update` (`apply`) or `delete` (`remove`): result on stdout, log on stderr. */
  run(verb: "apply" | "remove"): Promise<void>;
}

/** The modules of commands by name, loaded on demand. */
export type CommandTable = Readonly<Record<string, () => Promise<{ readonly default: CommandScript }>>>;

export function commandScript<Shape>(script: Script<Shape>): CommandScript {
  return { run: (verb) => runScript(script, verb) };
}

async function runScript<Shape>(script: Script<Shape>, verb: "apply" | "remove"): Promise<void> {
  const declared = z.safeParse(script.variables, process.env);
  if (!declared.success) {
    const problems = declared.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    fail(`this command is run by \`pulumi up\`, which sets its environment; it lacks ${problems.join("; ")}`, 2);
  }
  const allowed = allowedEnvironment(process.env);
  const { keeps = () => false } = script;
  const isKept = (name: string) =>
    Object.hasOwn(allowed, name) || commandVariables.has(name) || isSetupVariable(name) || keeps(name);
  for (const name of Object.keys(process.env)) if (!isKept(name)) delete process.env[name];
  const timer = setTimeout(
    () => fail(`not finished within ${script.timeoutSeconds} s`, 124),
    script.timeoutSeconds * 1000,
  );
  try {
    const line = JSON.stringify(await script[verb](declared.data));
    if (Buffer.byteLength(line) > outputLimitBytes) throw new Error(`its result is over ${outputLimitBytes} bytes`);
    process.stdout.write(`${line}\n`);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), 1);
  } finally {
    clearTimeout(timer);
  }
}

function fail(message: string, code: number): never {
  printNote(`error: ${message}\n`);
  process.exit(code);
}
