import * as z from "zod/mini";
import { withoutSecrets } from "../lib/literal-secrets.ts";
import { type Diagnostic, type KeyPathOf, pathInWords } from "./diagnostics.ts";
import { nameDiagnostic } from "./names.ts";
import { validOptions } from "./valid-options.ts";

/** The options of a changeling in a program, or of the forwarding server, are invalid. */
export class ChangelingOptionsError extends Error {
  /** The option as a program names it (`timeoutSeconds`), and what is wrong, with the remedy. */
  readonly problems: readonly { readonly option: string; readonly reason: string }[];
  /** Makes Pulumi print the error without a stack trace (`pulumi.RunError.isInstance`). */
  readonly __pulumiRunError = true;

  /** @param of the owner of the options, for the message */
  constructor(of: string, problems: ChangelingOptionsError["problems"]) {
    super(`${of}: ${problems.map(({ option, reason }) => `${option}: ${reason}`).join("; ")}`);
    this.name = "ChangelingOptionsError";
    this.problems = problems;
  }
}

/** In a program, an option's place is its name. */
export const here: KeyPathOf = (...path) => path;

/** Reads a changeling's options with its kind's table schema. Invalid options are replaced by their deproblems. */
export function readOptions<Shape extends z.core.$ZodShape>(
  name: string,
  given: object,
  schema: z.ZodMiniObject<Shape, z.core.$strict>,
) {
  const read = readTable(given, schema);
  const wrongName = nameDiagnostic(name);
  if (wrongName !== undefined) read.found.unshift({ ...wrongName, path: ["name"] });
  return read;
}

/** Like `readOptions`, for any table of the file. */
export function readTable<Shape extends z.core.$ZodShape>(
  given: object,
  schema: z.ZodMiniObject<Shape, z.core.$strict>,
) {
  const table: Record<string, unknown> = {};
  for (const key of Object.keys(schema.shape)) {
    const value: unknown = Reflect.get(given, camelCase(key));
    if (value !== undefined && key !== "kind") table[key] = value;
  }
  const found: Diagnostic[] = [];
  const { table: sound, invalid } = validOptions(table, [], found, schema.shape);
  return { options: z.parse(schema, sound), found, invalid };
}

/** @param of the owner of the options, for the message */
export function rejectInvalid(of: string, found: readonly Diagnostic[]): void {
  const errors = found.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  const problems = errors.map(({ path: [option, ...rest], message, remedy }) => ({
    option: withoutSecrets(pathInWords([camelCase(String(option)), ...rest])),
    reason: withoutSecrets(`${message}; ${remedy}`),
  }));
  throw new ChangelingOptionsError(of, problems);
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
