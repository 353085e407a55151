import { type CronsOnModal, cronsOnModal } from "../../../components/cron/inspect/on-modal.ts";
import { stoppedHosts, uncleanedFiles } from "../../../components/cron/modal/agent-secrets.ts";
import type { RemoteApp } from "../../../components/cron/modal/remote-apps.ts";
import { readLastRemoteRuns } from "../../../components/cron/modal/remote-runs.ts";
import { tagOf } from "../../../components/cron/modal/spec.ts";
import { runInWords } from "../../../components/cron/run-text.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { changelingCommand, upCommand as up } from "../../../components/lib/own-commands.ts";
import { inParallel, modalWidth } from "../../../components/lib/parallel.ts";
import { keysFolder } from "../../../components/modal/home-volume.ts";
import { knownMachine } from "../../../components/modal/machine-key.ts";
import { ModalError } from "../../../components/modal/modal-error.ts";
import { homeVolumeName, runsVolumeName, stackSecretName } from "../../../components/modal/names.ts";
import { openOnModal } from "../../../components/modal/on-modal.ts";
import { type ModalToken, noTokenRemedy } from "../../../components/modal/token.ts";
import { type Stack, shortNameOf } from "../../stack/stack.ts";
import { type Check, type DoctorOptions, failed, ok, warning } from "./check.ts";
import { orphanChecks } from "./orphans.ts";

export interface ModalDiagnosis {
  readonly checks: readonly Check[];
  /** Whether the stack has a home on Modal. */
  readonly isThere: boolean;
}

/** All Modal checks of a stack. @param fleet undefined: nothing is declared here, or it can't be read */
export async function doctorModal(
  stack: Stack,
  token: ModalToken | undefined,
  fleet: Fleet | undefined,
  { deep }: DoctorOptions,
): Promise<ModalDiagnosis> {
  const nothing = (...checks: Check[]) => ({ checks, isThere: false });
  if (token === undefined) return nothing(failed("Modal token", "not found", noTokenRemedy));
  const modal = await opened(stack, token);
  if (modal instanceof ModalError) return nothing(failed("Modal", modal.message));
  const { environment } = modal.site;
  // Web changelings have no app.
  const names = (fleet?.changelings ?? []).flatMap(({ name, kind, provider }) =>
    kind === "cron" && provider === "modal" ? [name] : [],
  );
  if (environment === undefined) return nothing(ok("Modal token", "it works"), nothingThere(modal.stack, names));
  const parts = await Promise.all([
    machineChecks(modal, environment),
    lastRunChecks(modal),
    deep ? inParallel(modal.apps, modalWidth, (app) => historyCheck(modal, app)) : [],
    orphanChecks(stack, modal, fleet),
    agentVolumeChecks(modal, environment),
  ]);
  const checks = [
    ok("Modal token", "it works"),
    ...homeChecks(modal, environment),
    ...appChecks(modal, names),
    ...secretChecks(modal),
    ...parts.flat(),
  ];
  return { checks, isThere: true };
}

async function opened(stack: Stack, token: ModalToken): Promise<CronsOnModal | ModalError> {
  try {
    return await cronsOnModal(await openOnModal(shortNameOf(stack), token));
  } catch (error) {
    if (error instanceof ModalError) return error;
    throw error;
  }
}

function nothingThere(stack: string, declared: readonly string[]): Check {
  const detail = `the stack ${stack} has nothing there`;
  return declared.length === 0 ? ok("Modal", detail) : warning("Modal", detail, `deploy it with: ${up()}`);
}

function homeChecks({ stack, site }: CronsOnModal, environment: string): Check[] {
  const found = ok("Modal environment", environment);
  if (site.identity === undefined) {
    return [
      found,
      failed("Modal home", `the volume ${homeVolumeName(stack)} does not say who the stack acts as`, up()),
    ];
  }
  if (!site.volumes.has(runsVolumeName(stack))) {
    return [found, failed("Modal home", `the volume ${runsVolumeName(stack)} is missing`, up())];
  }
  return [found, ok("Modal home", `volumes ${homeVolumeName(stack)} and ${runsVolumeName(stack)}`)];
}

/** Whether `mngr` on this machine can list and open the stack's agents. */
async function machineChecks({ client, stack, site }: CronsOnModal, environment: string): Promise<Check[]> {
  if (site.identity === undefined) return [];
  const name = "mngr on Modal";
  const remedy = `to see and open its agents from this machine: ${changelingCommand()} authorize`;
  const machine = knownMachine(site.identity, process.env);
  if (machine === undefined) {
    return [warning(name, `no mngr on this machine has the stack's identity (${environment})`, remedy)];
  }
  const keys = await client.files(homeVolumeName(stack), environment, keysFolder);
  const isKnown = machine.keyFile !== undefined && keys.some(({ path }) => path === `${keysFolder}/${machine.keyFile}`);
  if (!isKnown) return [warning(name, "the stack does not know this machine's key", remedy)];
  return [ok(name, `${machine.hostDir} has the stack's identity, and its key is known`)];
}

/** @param declared names of the changelings that the fleet file puts on Modal */
function appChecks({ apps, faults, site }: CronsOnModal, declared: readonly string[]): Check[] {
  const deployed = new Set([...apps.map(({ spec }) => spec.name), ...faults.map(({ name }) => name)]);
  return [
    ...apps.map(({ spec: { name, enabled, snapshotLabel }, problem }) => {
      if (problem !== undefined) return failed(`app of ${name}`, problem, up());
      if (snapshotLabel !== null && site.snapshots.get(snapshotLabel)?.hasImage !== true) {
        return failed(`app of ${name}`, `the snapshot ${snapshotLabel} that it starts from is missing`, up());
      }
      return ok(`app of ${name}`, enabled ? "deployed" : "deployed, paused");
    }),
    ...faults.map(({ name, problem }) => failed(`app of ${name}`, problem)),
    ...declared
      .filter((name) => !deployed.has(name))
      .map((name) => warning(`app of ${name}`, "declared, and not deployed yet", up())),
  ];
}

function secretChecks({ stack, site, apps }: CronsOnModal): Check[] {
  const wanted = [
    stackSecretName(stack),
    ...apps.flatMap(({ spec }) => (spec.secrets.length === 0 ? [] : spec.secretName)),
  ];
  const missing = wanted.filter((name) => !site.secrets.has(name));
  if (missing.length === 0) return [ok("Modal Secrets", `${wanted.length} of ${wanted.length}`)];
  return missing.map((name) => failed(`Modal Secret ${name}`, "missing, so what needs it can't start", up()));
}

/**
 * Checks the volumes of ended agents for leftover secrets. Web agents are exempt, because they need their secrets to be
 * started again.
 */
async function agentVolumeChecks({ client, stack }: CronsOnModal, environment: string): Promise<Check[]> {
  const hosts = await stoppedHosts(client, environment);
  const ours = hosts.filter(
    ({ tags }) => tags === undefined || (tags["changelings_stack"] === stack && tags["changeling_kind"] !== "web"),
  );
  const files = await inParallel(ours, modalWidth, ({ name }) => uncleanedFiles(client, environment, name));
  return [
    ok("volumes of agents on Modal", `${ours.length} of agents that have ended`),
    ...ours.flatMap(({ name, tags }, index) => {
      if (files[index]?.length === 0) return [];
      const of = tags === undefined ? "an agent that mngr does not know" : `an agent of ${tags["changeling"]}`;
      return warning(
        `volume ${name}`,
        `it holds the secrets of ${of}, which has ended`,
        `remove it with: modal volume delete ${name} --env ${environment} --yes`,
      );
    }),
  ];
}

async function lastRunChecks({ apps, volume, timeoutSeconds, firing }: CronsOnModal): Promise<Check[]> {
  if (volume === undefined) return [];
  const runs = await readLastRemoteRuns(volume, timeoutSeconds, firing);
  return apps.flatMap(({ spec: { name } }) => {
    const last = runs.find(({ changeling }) => changeling === name);
    if (last?.outcome !== "failed" && last?.outcome !== "timed_out") return [];
    const reason = last.reason === undefined ? "" : `: ${last.reason}`;
    return warning(
      `last run of ${name}`,
      `${runInWords(last)}${reason}`,
      `look into it with: ${changelingCommand()} logs ${name}`,
    );
  });
}

/** Our deployments carry their spec's digest as a tag, so a manual deployment is detected. */
async function historyCheck({ client }: CronsOnModal, { spec, app }: RemoteApp): Promise<Check> {
  const name = `deployments of ${spec.name}`;
  if (app === undefined) return warning(name, "there is no app, so no history");
  const [last] = await client.history(app.id);
  if (last === undefined) return warning(name, "Modal lists none");
  if (last.tag === tagOf(spec)) return ok(name, `version ${last.version}, as applied`);
  const by = last.tag === "" ? "by hand" : `as ${last.tag}`;
  return failed(
    name,
    `version ${last.version} was deployed ${by}, not by \`pulumi up\` (${new Date(last.deployedAt * 1000).toISOString()})`,
    `restore what is declared with: modal app stop ${spec.appName} --env ${spec.environment} --yes, then: ${up()}`,
  );
}
