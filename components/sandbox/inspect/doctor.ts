import { join } from "node:path";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { asError, messageOf } from "../../lib/as-error.ts";
import { changelingCommand, upCommand } from "../../lib/own-commands.ts";
import { quoted } from "../../lib/shell-command.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import { type Diagnosis, type Examination, type InspectedStack, includesProvider } from "../../stack/inspection.ts";
import type { DeclaredSandbox } from "../declared.ts";
import { installedSandboxes, readSandbox } from "../installed.ts";
import { filesOfSnapshot, lostSessions, openSessionIds, orphans, sessionsWithSandboxes } from "../orphans.ts";
import { openProvider } from "../providers.ts";
import { isRunnerLinked } from "../sessions/cloudflare/observe.ts";
import { readServiceFile, sessionsFolder } from "../sessions/folder.ts";
import { sessionsState } from "../sessions/state.ts";
import { sessionsBootInstructions } from "../sessions/supervise.ts";
import type { SandboxProviderName, SandboxSpec } from "../spec.ts";

/** The limit for what the session service answers, which may be on Cloudflare. */
const checkTimeoutMs = 5_000;

/** Checks the stack's sandbox changelings and their requirements on this machine, and finds orphaned sandboxes. */
export async function diagnoseSandboxes(
  stack: InspectedStack,
  examination: Examination<DeclaredSandbox>,
): Promise<Diagnosis> {
  const specs: SandboxSpec[] = [];
  const checks: Check[] = [];
  for (const name of installedSandboxes(stack.paths)) {
    try {
      const installed = readSandbox(stack.paths, name);
      if (installed !== undefined && includesProvider(stack, installed.spec.provider)) specs.push(installed.spec);
    } catch (error) {
      checks.push(failed(`sandbox ${name}`, messageOf(error), upCommand()));
    }
  }
  const { changelings } = await examination.declared;
  const missing = changelings.filter(
    ({ name, provider }) => includesProvider(stack, provider) && !installedSandboxes(stack.paths).includes(name),
  );
  if (specs.length > 0) {
    const providers = [...new Set(specs.map(({ provider }) => provider))];
    const open = openSessionIds(stack.paths, checkTimeoutMs);
    // Its failure is reported by the checks that await it, perhaps later.
    open.catch(() => {});
    const [service, ...found] = await Promise.all([
      serviceCheck(stack, open),
      ...providers.map((provider) => providerCheck(stack, provider, specs, open)),
    ]);
    checks.push(service, ...found, ...(await lostChecks(stack, open)));
  }
  return {
    deployed: [
      ...checks,
      ...missing.map(({ name }) => warning(`sandbox ${name}`, "declared, and not deployed from here yet", upCommand())),
    ],
  };
}

async function serviceCheck(
  { paths, installation }: InspectedStack,
  open: Promise<ReadonlySet<string>>,
): Promise<Check> {
  const title = "session service";
  const state = sessionsState(paths);
  if (!state.alive) return failed(title, "is not running, so no session can be started", upCommand());
  const outdated = outdatedInWords(state);
  if (outdated !== undefined) return warning(title, outdated, upCommand());
  try {
    const service = readServiceFile(sessionsFolder(paths));
    const worker = service?.workerd === undefined ? service : undefined;
    const linkedTo = worker === undefined ? true : isRunnerLinked(worker, checkTimeoutMs);
    const [{ size }, isLinked] = await Promise.all([open, linkedTo]);
    if (worker !== undefined && !isLinked) {
      const detail = `is not linked to the worker at ${worker.url}, so prompts wait; its log says why`;
      return failed(title, detail, `tail ${quoted(join(sessionsFolder(paths), "sessions.log"))}`);
    }
    const linked = worker === undefined ? "" : `, linked to ${worker.url}`;
    const remedy = sessionsBootInstructions(installation);
    return {
      ...ok(title, `running (pid ${state.pid})${linked}, ${size} session${size === 1 ? "" : "s"}`),
      ...(remedy === undefined ? {} : { remedy }),
    };
  } catch (error) {
    const { name, message } = asError(error);
    const reason = name === "TimeoutError" ? `it did not answer within ${checkTimeoutMs / 1000} s` : message;
    return failed(title, reason, upCommand());
  }
}

/** Files that no command reaches any more. */
async function lostChecks({ paths }: InspectedStack, open: Promise<ReadonlySet<string>>): Promise<Check[]> {
  // If the service does not answer, its own check says so.
  const ids = await open.catch(() => undefined);
  if (ids === undefined) return [];
  return lostSessions(paths, ids).map((saved) =>
    warning(
      `session ${saved.id} of ${saved.changeling}`,
      "is not open any more, and its files are in a snapshot",
      filesOfSnapshot(paths, saved),
    ),
  );
}

/** Checks that the provider can create sandboxes, and has no orphaned ones. */
async function providerCheck(
  stack: InspectedStack,
  name: SandboxProviderName,
  specs: readonly SandboxSpec[],
  open: Promise<ReadonlySet<string>>,
): Promise<Check> {
  const title = `sandboxes on ${name}`;
  const { installation, paths } = stack;
  const own = specs.filter(({ provider }) => provider === name);
  try {
    const provider = await openProvider(name, { installation, sandboxes: paths.sandboxes });
    // The image of deployed changelings exists, so this builds nothing.
    if (name === "local") for (const spec of own) await provider.prepareImage({ spec });
    const names = own.map((spec) => spec.name).join(", ");
    // If the service does not answer, its own check says why.
    const known = await sessionsWithSandboxes(paths, open).catch(() => undefined);
    if (known === undefined) return ok(title, `${names}; whether any sandbox is left over is not known`);
    const left = await orphans(provider, installation, (session) => known.has(session));
    if (left.length === 0) return ok(title, names);
    const ids = left.map(({ id }) => id).join(", ");
    return warning(title, `no session has ${ids}`, `${changelingCommand()} sandbox clean`);
  } catch (error) {
    return failed(title, messageOf(error));
  }
}
