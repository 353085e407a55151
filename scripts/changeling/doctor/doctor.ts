import { existsSync } from "node:fs";
import type { Command } from "commander";
import { installedJobs } from "../../../components/cron/local/installed-files.ts";
import { readRuns } from "../../../components/cron/local/records.ts";
import { schedulerState } from "../../../components/cron/local/state.ts";
import { bootInstructions } from "../../../components/cron/local/supervise.ts";
import { formatFaults } from "../../../components/fleet/diagnostics.ts";
import { outdatedInWords } from "../../../components/host/supervision/state.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { asError } from "../../../components/lib/as-error.ts";
import { changelingCommand, secretRemedy, upCommand } from "../../../components/lib/own-commands.ts";
import { looksAt } from "../../../components/stack/inspection.ts";
import { installationOf } from "../../stack/stack.ts";
import { answer, type Context, contextOf, providerOption } from "../context.ts";
import { differenceInWords, fileDifferences } from "../fleet-file/applied.ts";
import { tokenOf } from "../modal-side.ts";
import { examples } from "../options.ts";
import { errorsOf, fleetOf } from "../stack-fleet.ts";
import { visiblyAll } from "../terminal/visibly.ts";
import { type Check, checkText, type DoctorOptions, failed, ok, warning } from "./check.ts";
import { hookChecks } from "./hooks.ts";
import { orphanInstallations } from "./installations.ts";
import { machineChecks } from "./machine.ts";
import type { ModalDiagnosis } from "./modal.ts";
import { signingChecks } from "./signing.ts";
import { toolChecks } from "./tools.ts";
import { doctorWeb } from "./web.ts";

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
      const fleet = fleetChecks(context, { deep });
      const webAgents = doctorWeb(
        context,
        fleet.then((declared) => declared.fleet),
      );
      const onModal = fleet.then((declared) => modalDiagnosis(context, declared.fleet, { deep }));
      const found = await visiblyAll("checking", {
        tools: toolChecks(),
        "the fleet file": fleet,
        "web agents": webAgents,
        Modal: onModal,
        "this machine": looksAt(context, "local") ? installedChecks(context) : Promise.resolve([]),
      });
      const { tools, "the fleet file": declared, "web agents": web, Modal: modal, "this machine": machine } = found;
      const isElsewhere = declared.isAbsent && modal.isThere;
      const checks = [
        ...tools,
        ...declared.checks.map((check) => (isElsewhere ? { ...check, status: "warning" as const } : check)),
        ...(isElsewhere ? [] : machineChecks(context.paths)),
        ...localChecks(context, isElsewhere || needsNoScheduler(declared.fleet)),
        ...machine,
        ...web,
        ...modal.checks,
      ];
      answer(context, checks, checks.map(checkText).join("\n"));
      if (checks.some(({ status }) => status === "failed")) process.exitCode = 1;
    });
}

interface Declared {
  readonly checks: readonly Check[];
  readonly fleet: Fleet | undefined;
  /** Neither the stack's settings nor its fleet file are on this machine, so it may be declared elsewhere. */
  readonly isAbsent: boolean;
}

async function fleetChecks(context: Context, options: DoctorOptions): Promise<Declared> {
  try {
    const loaded = await fleetOf(context.stack);
    const { fleet } = loaded;
    if (errorsOf(loaded.faults).length > 0 || fleet === undefined) {
      const detail = `${loaded.file} has errors:\n${formatFaults(loaded.faults)}`;
      const checks = [failed("fleet file", detail, "correct the lines above")];
      return { checks, fleet, isAbsent: !existsSync(loaded.file) };
    }
    const secrets = loaded.missingSecrets.map(({ changeling, names }) =>
      warning(`secrets of ${changeling}`, `${names.join(" or ")} is not set here`, secretRemedy(names[0] ?? "")),
    );
    const declared = `${loaded.file}, ${fleet.changelings.length} declared`;
    const file =
      loaded.faults.length === 0
        ? ok("fleet file", declared)
        : warning("fleet file", `${declared}:\n${formatFaults(loaded.faults)}`);
    const ofRepos = await Promise.all([signingChecks(fleet), hookChecks(fleet, options)]);
    const checks = [file, ...secrets, ...ofRepos.flat()];
    return { checks, fleet, isAbsent: false };
  } catch (error) {
    return { checks: [failed("fleet file", asError(error).message)], fleet: undefined, isAbsent: true };
  }
}

/** Missing files of this stack, and leftovers of stacks that no longer exist. */
async function installedChecks({ stack }: Context): Promise<Check[]> {
  const installation = installationOf(stack);
  const [differences, orphans] = await Promise.all([fileDifferences(stack, true), orphanInstallations(installation)]);
  const files = differences.map((each) => {
    const what = each.file === "unknown job" ? "job" : each.file.split(" ")[0];
    const discard = `; or remove all that this machine has of the stack: ${changelingCommand()} discard ${installation}`;
    const remedy = each.file === "unknown job" ? upCommand() + discard : upCommand();
    return failed(`${what} of ${each.name}`, differenceInWords(each), remedy);
  });
  return [...files, ...orphans];
}

/** Web changelings don't need the scheduler either. */
function needsNoScheduler(fleet: Fleet | undefined): boolean {
  return fleet?.changelings.every(({ kind, provider }) => kind === "web" || provider === "modal") ?? false;
}

/** @param needsNone this machine fires none of the stack's changelings */
function localChecks(context: Context, needsNone: boolean): Check[] {
  const { jobs, faults } = installedJobs(context.paths);
  const scheduler = needsNone && jobs.length + faults.length === 0 ? [] : [schedulerCheck(context)];
  return [
    ...scheduler,
    ...faults.map(({ name, problem }) => failed(`job of ${name}`, problem)),
    ...jobs.flatMap(({ name }) => failedRunCheck(context, name)),
  ];
}

/**
 * A run that failed before its agent was created will fail again: a repository hook fails, a git filter is missing, …
 */
function failedRunCheck({ paths }: Context, name: string): Check[] {
  const last = readRuns(paths, name).find(({ outcome }) => outcome !== undefined && outcome !== "skipped");
  if (last?.outcome !== "failed" || last.agentId !== undefined) return [];
  const detail = `the last one could not start: ${last.reason ?? "no reason is recorded"}`;
  return [warning(`runs of ${name}`, detail, `repair that, then: changeling run ${name} --wait`)];
}

function schedulerCheck(context: Context): Check {
  const state = schedulerState(context.paths);
  if (!state.alive) {
    const remedy = `start it with: ${upCommand()} (the next preview shows it as drift)`;
    return failed("scheduler", "not running, so nothing fires", remedy);
  }
  const detail = `running (pid ${state.pid})`;
  const outdated = outdatedInWords(state);
  if (outdated !== undefined) return warning("scheduler", `${detail}; it ${outdated}`, upCommand());
  const remedy = bootInstructions(context.paths);
  return { ...ok("scheduler", detail), ...(remedy === undefined ? {} : { remedy }) };
}

/** For a fleet with changelings on Modal, or if nothing is known here but a token. */
async function modalDiagnosis(
  context: Context,
  fleet: Fleet | undefined,
  options: DoctorOptions,
): Promise<ModalDiagnosis> {
  const nothing = { checks: [], isThere: false };
  const isDeclared = fleet?.changelings.some(({ provider }) => provider === "modal") ?? false;
  const isWanted = context.provider === "modal" || isDeclared;
  if (!looksAt(context, "modal") || (!isWanted && fleet !== undefined)) return nothing;
  try {
    const token = await tokenOf(context.stack);
    if (token === undefined && !isWanted) return nothing;
    const { doctorModal } = await import("./modal.ts");
    return await doctorModal(context.stack, token, fleet, options);
  } catch (error) {
    return { ...nothing, checks: [failed("Modal", asError(error).message)] };
  }
}
