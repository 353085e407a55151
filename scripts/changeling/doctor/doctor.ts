import { existsSync } from "node:fs";
import type { Command } from "commander";
import { formatDiagnostics } from "../../../components/fleet/diagnostics.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { messageOf } from "../../../components/lib/as-error.ts";
import { changelingCommand, secretRemedy, upCommand } from "../../../components/lib/own-commands.ts";
import { type Check, failed, ok, warning } from "../../../components/stack/check.ts";
import { type Diagnosis, includesProvider } from "../../../components/stack/inspection.ts";
import { installationOf } from "../../stack/stack.ts";
import { answer, type Context, contextOf, providerOption } from "../context.ts";
import { fileDifferences } from "../fleet-file/applied.ts";
import { tokenOf } from "../observe-modal.ts";
import { examples } from "../options.ts";
import { errorsOf, fleetOf } from "../stack-fleet.ts";
import { withProgressOfAll } from "../terminal/progress.ts";
import { type Declared, startDiagnoses } from "./diagnoses.ts";
import { orphanInstallations } from "./installations.ts";
import { machineChecks } from "./machine.ts";
import type { OpenedModal } from "./modal.ts";
import { toolChecks } from "./tools.ts";

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .option(
      "--deep",
      "also check the history of each app on Modal (was it deployed by hand?), and try post-checkout hooks",
    )
    .addOption(providerOption())
    .description("check tools, versions, secrets, the fleet and its daemons, and say how to repair them")
    .addHelpText("after", examples("doctor", "doctor --deep", "doctor --json"))
    .action(async ({ deep = false }: { deep?: boolean }, command: Command) => {
      const context = contextOf(command);
      // Each part waits for other programs, so all run concurrently. Only those that need the fleet wait for it.
      const tools = toolChecks();
      const fleet = fleetChecks(context);
      const modal = fleet.then((declared) => openModal(context, declared.fleet));
      const onModal = modal.then(({ seen }) => seen);
      const kinds = await startDiagnoses(context, { deep, declared: fleet, onModal });
      const diagnoses = Promise.all(kinds.map(({ end }) => end));
      const shared = sharedChecks(context, { fleet, modal, diagnoses });
      const machine = includesProvider(context, "local") ? installedChecks(context) : Promise.resolve([]);
      await withProgressOfAll("checking", {
        tools,
        "the fleet file": fleet,
        ...Object.fromEntries(kinds.flatMap(({ what, end }) => (what === undefined ? [] : [[what, end] as const]))),
        Modal: shared,
        "this machine": Promise.all([machine, ...kinds.flatMap(({ what, end }) => (what === undefined ? end : []))]),
      });
      const declared = await fleet;
      const isElsewhere = declared.isAbsent && (await onModal) !== undefined;
      const ofKinds = await diagnoses;
      const checks = withoutRepeats([
        ...(await tools),
        ...declared.checks.map((check) => (isElsewhere ? { ...check, status: "warning" as const } : check)),
        ...ofKinds.flatMap((each) => each.declared ?? []),
        ...(isElsewhere ? [] : await machineChecks(context.paths)),
        ...ofKinds.flatMap((each) => each.deployed),
        ...(await machine),
        ...(await shared),
        ...ofKinds.flatMap((each) => each.onModal ?? []),
      ]);
      answer(context, checks, checks.map(checkText).join("\n"));
      if (checks.some(({ status }) => status === "failed")) process.exitCode = 1;
    });
}

function checkText({ name, status, detail, remedy }: Check): string {
  const mark = { ok: "ok     ", warning: "warning", failed: "FAILED " }[status];
  return `${mark}  ${name}: ${detail}${remedy === undefined ? "" : `\n         ${remedy}`}`;
}

/** Several kinds may check the same thing, such as Docker. */
function withoutRepeats(checks: readonly Check[]): Check[] {
  return [...new Map(checks.map((check) => [JSON.stringify(check), check])).values()];
}

async function fleetChecks(context: Context): Promise<Declared> {
  try {
    const loaded = await fleetOf(context.stack);
    const { fleet } = loaded;
    if (errorsOf(loaded.diagnostics).length > 0 || fleet === undefined) {
      const detail = `${loaded.file} has errors:\n${formatDiagnostics(loaded.diagnostics)}`;
      const checks = [failed("fleet file", detail, "correct the lines above")];
      return { checks, fleet, isAbsent: !existsSync(loaded.file) };
    }
    const secrets = loaded.missingSecrets.map(({ changeling, names }) =>
      warning(`secrets of ${changeling}`, `${names.join(" or ")} is not set here`, secretRemedy(names[0] ?? "")),
    );
    const declared = `${loaded.file}, ${fleet.changelings.length} declared`;
    const file =
      loaded.diagnostics.length === 0
        ? ok("fleet file", declared)
        : warning("fleet file", `${declared}:\n${formatDiagnostics(loaded.diagnostics)}`);
    return { checks: [file, ...secrets], fleet, isAbsent: false };
  } catch (error) {
    return { checks: [failed("fleet file", messageOf(error))], fleet: undefined, isAbsent: true };
  }
}

/** Missing files of this stack, and leftovers of stacks that no longer exist. */
async function installedChecks({ stack }: Context): Promise<Check[]> {
  const installation = installationOf(stack);
  const [differences, orphans] = await Promise.all([fileDifferences(stack, true), orphanInstallations(installation)]);
  const discard = `; or remove all that this machine has of the stack: ${changelingCommand()} discard ${installation}`;
  const files = differences.map(({ name, file, words, isUnknown }) =>
    failed(`${file} of ${name}`, words, isUnknown ? upCommand() + discard : upCommand()),
  );
  return [...files, ...orphans];
}

/** For a fleet with changelings on Modal, or if nothing is known here but a token. */
async function openModal(context: Context, fleet: Fleet | undefined): Promise<OpenedModal> {
  const nothing = { checks: [], seen: undefined };
  const isDeclared = fleet?.changelings.some(({ provider }) => provider === "modal") ?? false;
  const isWanted = context.provider === "modal" || isDeclared;
  if (!includesProvider(context, "modal") || (!isWanted && fleet !== undefined)) return nothing;
  try {
    const token = await tokenOf(context.stack);
    if (token === undefined && !isWanted) return nothing;
    const { openedModal } = await import("./modal.ts");
    return await openedModal(context.stack, token, fleet);
  } catch (error) {
    return { ...nothing, checks: [failed("Modal", messageOf(error))] };
  }
}

interface Parts {
  readonly fleet: Promise<Declared>;
  readonly modal: Promise<OpenedModal>;
  readonly diagnoses: Promise<readonly Diagnosis[]>;
}

/** What is on Modal besides the changelings of each kind. */
async function sharedChecks({ stack }: Context, { fleet, modal, diagnoses }: Parts): Promise<Check[]> {
  const { checks, seen } = await modal;
  if (seen === undefined) return [...checks];
  const snapshots = diagnoses.then((all) => all.flatMap((each) => each.snapshots ?? []));
  try {
    const { sharedModalChecks } = await import("./modal.ts");
    return [...checks, ...(await sharedModalChecks(stack, seen, { fleet: (await fleet).fleet, snapshots }))];
  } catch (error) {
    return [...checks, failed("Modal", messageOf(error))];
  }
}
