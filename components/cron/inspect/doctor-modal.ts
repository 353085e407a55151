import { changelingCommand, upCommand as up } from "../../lib/own-commands.ts";
import { inParallel, modalWidth } from "../../lib/parallel.ts";
import { stackSecretName } from "../../modal/names.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import { stoppedHosts, uncleanedFiles } from "../modal/agent-secrets.ts";
import type { RemoteApp } from "../modal/remote-apps.ts";
import { readLastRemoteRuns } from "../modal/remote-runs.ts";
import { tagOf } from "../modal/spec.ts";
import { runInWords } from "../run-text.ts";
import type { CronsOnModal } from "./on-modal.ts";

/**
 * Checks a stack's apps on Modal, their Secrets, last runs and the volumes of ended agents.
 *
 * @param declared names of the changelings that the fleet file puts on Modal
 * @param deep whether to read the history of each app
 */
export async function cronModalChecks(
  modal: CronsOnModal,
  environment: string,
  { declared, deep }: { readonly declared: readonly string[]; readonly deep: boolean },
): Promise<Check[]> {
  const parts = await Promise.all([
    lastRunChecks(modal),
    deep ? inParallel(modal.apps, modalWidth, (app) => historyCheck(modal, app)) : [],
    agentVolumeChecks(modal, environment),
  ]);
  return [...appChecks(modal, declared), ...secretChecks(modal), ...parts.flat()];
}

/** @param declared names of the changelings that the fleet file puts on Modal */
function appChecks({ apps, problems, observed }: CronsOnModal, declared: readonly string[]): Check[] {
  const deployed = new Set([...apps.map(({ spec }) => spec.name), ...problems.map(({ name }) => name)]);
  return [
    ...apps.map(({ spec: { name, enabled, snapshotLabel }, problem }) => {
      if (problem !== undefined) return failed(`app of ${name}`, problem, up());
      if (snapshotLabel !== null && observed.snapshots.get(snapshotLabel)?.hasImage !== true) {
        return failed(`app of ${name}`, `the snapshot ${snapshotLabel} that it starts from is missing`, up());
      }
      return ok(`app of ${name}`, enabled ? "deployed" : "deployed, paused");
    }),
    ...problems.map(({ name, problem }) => failed(`app of ${name}`, problem)),
    ...declared
      .filter((name) => !deployed.has(name))
      .map((name) => warning(`app of ${name}`, "declared, and not deployed yet", up())),
  ];
}

function secretChecks({ stack, observed, apps }: CronsOnModal): Check[] {
  const wanted = [
    stackSecretName(stack),
    ...apps.flatMap(({ spec }) => (spec.secrets.length === 0 ? [] : spec.secretName)),
  ];
  const missing = wanted.filter((name) => !observed.secrets.has(name));
  if (missing.length === 0) return [ok("Modal Secrets", `${wanted.length} of ${wanted.length}`)];
  return missing.map((name) => failed(`Modal Secret ${name}`, "missing, so the apps that need it can't start", up()));
}

/** Checks the volumes of ended agents for leftover secrets. Agents of other kinds need theirs to be started again. */
async function agentVolumeChecks({ client, stack }: CronsOnModal, environment: string): Promise<Check[]> {
  const hosts = await stoppedHosts(client, environment);
  const ours = hosts.filter(
    ({ tags }) =>
      tags === undefined || (tags["changelings_stack"] === stack && (tags["changeling_kind"] ?? "cron") === "cron"),
  );
  const files = await inParallel(ours, modalWidth, ({ name }) => uncleanedFiles(client, environment, name));
  return [
    ok("volumes of agents on Modal", `${ours.length} of ended agents`),
    ...ours.flatMap(({ name, tags }, index) => {
      if (files[index]?.length === 0) return [];
      const agent = tags === undefined ? "an agent that mngr does not know" : `an agent of ${tags["changeling"]}`;
      return warning(
        `volume ${name}`,
        `it contains the secrets of ${agent}, which has ended`,
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
    return warning(`last run of ${name}`, `${runInWords(last)}${reason}`, `see: ${changelingCommand()} logs ${name}`);
  });
}

/** Our deployments carry their spec's digest as a tag, so a manual deployment is detected. */
async function historyCheck({ client }: CronsOnModal, { spec, app }: RemoteApp): Promise<Check> {
  const name = `deployments of ${spec.name}`;
  if (app === undefined) return warning(name, "unknown, because there is no app");
  const [last] = await client.history(app.id);
  if (last === undefined) return warning(name, "Modal lists no deployment");
  if (last.tag === tagOf(spec)) return ok(name, `version ${last.version}, as applied`);
  const by = last.tag === "" ? "by hand" : `as ${last.tag}`;
  return failed(
    name,
    `version ${last.version} was deployed ${by}, not by \`pulumi up\` (${new Date(last.deployedAt * 1000).toISOString()})`,
    `restore the declared version with: modal app stop ${spec.appName} --env ${spec.environment} --yes, then: ${up()}`,
  );
}
