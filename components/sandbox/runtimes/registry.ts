import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod/mini";
import { type Diagnostic, error, type KeyPath, type KeyPathOf } from "../../fleet/diagnostics.ts";
import type { Schemas, Table } from "../../fleet/kind.ts";
import { diagnosticsOf } from "../../fleet/zod-issues.ts";
import { messageOf } from "../../lib/as-error.ts";
import { didYouMean } from "../../lib/suggest.ts";
import { claudeKeys } from "../../models/claude-events.ts";
import { codexKeys } from "../../models/codex-events.ts";
import { agentDiagnostics, isClaude } from "./mngr-checks.ts";
import { claudeTable, codexTable, mngrTable, stubTable } from "./options.ts";
import { type AgentRuntime, RuntimeError, type RuntimeFactory } from "./runtime.ts";

/** A runtime that the fleet file can name. */
export interface RegisteredRuntime {
  /** One clause for the reference. */
  readonly summary: string;
  /** The schema of its `runtime_config`. */
  readonly table: z.ZodMiniType & { readonly shape: Schemas };
  /** Whether it reports what its prompts cost. Otherwise no budget can be kept. */
  readonly reportsCost: boolean;
  /** Whether it uses its model's API by `Sandbox.accessApi`, and so through the provider's proxy. */
  readonly usesBroker: boolean;
  /** At least one of these secrets must be set, unless the list is empty. @param config its `runtime_config` */
  secrets(config: Table): readonly string[];
  /** Checks that the schema can't express. */
  check?(config: Table, place: KeyPathOf): Diagnostic[];
  load(): Promise<RuntimeFactory>;
}

/** The runtimes by their names in the fleet file. Their implementations are loaded on demand. */
export const runtimes = {
  stub: {
    summary: "answers with what it would do, without an account",
    table: stubTable,
    reportsCost: true,
    usesBroker: false,
    secrets: () => [],
    load: async () => (await import("./stub.ts")).default,
  },
  claude: {
    summary: "the Claude Code CLI",
    table: claudeTable,
    reportsCost: true,
    usesBroker: true,
    secrets: () => claudeKeys,
    load: async () => (await import("./claude.ts")).default,
  },
  codex: {
    summary: "the Codex CLI",
    table: codexTable,
    reportsCost: false,
    usesBroker: true,
    secrets: () => codexKeys,
    load: async () => (await import("./codex.ts")).default,
  },
  mngr: {
    summary: "an agent of mngr, of any type that it knows",
    table: mngrTable,
    reportsCost: false,
    usesBroker: false,
    secrets: (config) => (isClaude(z.safeParse(mngrTable, config).data?.agent_type ?? "") ? claudeKeys : []),
    check: (config, place) => agentDiagnostics(z.parse(mngrTable, config), place),
    load: async () => (await import("./mngr.ts")).default,
  },
} satisfies Readonly<Record<string, RegisteredRuntime>>;

function registered(name: string): RegisteredRuntime | undefined {
  const all: Readonly<Record<string, RegisteredRuntime>> = runtimes;
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

/**
 * Checks a changeling's runtime and its `runtime_config` without loading the runtime. Doesn't check the options of a user's
 * own module, which only the module knows.
 *
 * @param runtimePath the path of `runtime` in the fleet file
 * @param configPath the path of the table, which ends with `runtime_config`
 */
export function checkRuntime(runtime: string, config: Table, runtimePath: KeyPath, configPath: KeyPath): Diagnostic[] {
  if (isAbsolute(runtime)) return [];
  const found = registered(runtime);
  if (found === undefined) {
    const meant = didYouMean(runtime, Object.keys(runtimes));
    const known = `write ${Object.keys(runtimes).join(", ")}, or the path of your own module`;
    return [
      error(runtimePath, `there is no runtime ${JSON.stringify(runtime)}`, meant ? `did you mean "${meant}"?` : known),
    ];
  }
  const { success, error: failure } = z.safeParse(found.table, config);
  if (success) return found.check?.(config, (...path) => [...configPath, ...path]) ?? [];
  if (Object.keys(found.table.shape).length === 0)
    return Object.keys(config).map((key) =>
      error([...configPath, key], `the runtime ${runtime} has no options`, "remove it"),
    );
  const within = { runtime_config: found.table };
  return failure.issues.flatMap((issue) =>
    diagnosticsOf(
      { ...issue, path: ["runtime_config", ...issue.path] },
      configPath.slice(0, -1),
      { runtime_config: config },
      within,
    ),
  );
}

/** Secrets of which the runtime needs at least one; empty if it needs none, or is a user's own module. */
export function secretsOfRuntime(runtime: string, config: Table): readonly string[] {
  return registered(runtime)?.secrets(config) ?? [];
}

/** Whether the runtime reports what its prompts cost, as far as known: only a user's own module knows that of itself. */
export function reportsCost(runtime: string): boolean {
  return registered(runtime)?.reportsCost ?? true;
}

/** A user's own module doesn't: the provider creates the sandbox before it loads the module. */
export function usesBroker(runtime: string): boolean {
  return registered(runtime)?.usesBroker ?? false;
}

/**
 * @param runtime a registered name, or the absolute path of a module whose default export is a `RuntimeFactory`
 * @throws RuntimeError `runtime_failed` if the module can't be used
 */
export async function loadRuntime(runtime: string): Promise<RuntimeFactory> {
  const found = registered(runtime);
  if (found !== undefined) return found.load();
  if (isAbsolute(runtime)) return loadModule(runtime);
  const known = Object.keys(runtimes).join(", ");
  throw new RuntimeError(
    "runtime_failed",
    `there is no runtime ${JSON.stringify(runtime)}: use ${known}, or an absolute path`,
  );
}

async function loadModule(path: string): Promise<RuntimeFactory> {
  const fail = (reason: string, cause?: unknown): RuntimeError =>
    new RuntimeError("runtime_failed", `the runtime ${path} ${reason}`, { cause });
  if (!existsSync(path)) throw fail("does not exist: correct `runtime` in the fleet file");
  let module: unknown;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw fail(`can't be loaded: ${messageOf(cause)}`, cause);
  }
  const exported = z.safeParse(factoryModule, module);
  if (!exported.success)
    throw fail("has no default export that is a function: write `export default () => new MyRuntime()`");
  return () => {
    let made: unknown;
    try {
      made = exported.data.default();
    } catch (cause) {
      throw fail(`failed to create an instance: ${messageOf(cause)}`, cause);
    }
    if (!isRuntime(made)) throw fail("returns an object without the methods initialize, execute and terminate");
    return made;
  };
}

const factoryModule = z.object({
  default: z.custom<() => unknown>((value) => typeof value === "function"),
});

function isRuntime(made: unknown): made is AgentRuntime {
  return (
    typeof made === "object" &&
    made !== null &&
    ["initialize", "execute", "terminate"].every((method) => typeof Reflect.get(made, method) === "function")
  );
}
