import { messageOf } from "../../lib/as-error.ts";
import { digestOfJson } from "../../lib/json.ts";
import { masked } from "../../lib/masking.ts";
import { driftFrom } from "../drift.ts";
import { type DeployOptions, type ObserveOptions, SeedAgentError, type SeedAgentProvider } from "../provider.ts";
import { secretsFingerprint } from "../secrets-fingerprint.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { flyctlArguments as flyctl } from "./arguments.ts";
import { FlyClient, type FlyClientOptions } from "./fly-client.ts";
import { configFingerprint, flyOf, flyToml, notes, type TomlOptions, volumeName } from "./fly-toml.ts";
import {
  type AppStatus,
  declaredSettings,
  type Machine,
  machineList,
  node,
  noteOf,
  observed,
  secretList,
  volumeList,
} from "./observe.ts";
import { formerDeployment, rollBack } from "./roll-back.ts";
import { secretLines } from "./secret-lines.ts";

export interface FlyOptions extends FlyClientOptions {
  /** Writes the image's build context for a spec into a folder. */
  readonly writeContext: (spec: SeedAgentSpec, folder: string) => Promise<void>;
}

/** Seed agents on Fly.io, by the user's own flyctl. */
export function flyProvider({ writeContext, ...options }: FlyOptions): SeedAgentProvider {
  const fly = new FlyClient(options);

  return {
    async deploy(spec, options) {
      const { app, organization } = flyOf(spec);
      const { signal, onProgress } = options;
      const before = await fly.statusOf(app, options);
      checkOwner(app, before, options);
      if (before === undefined) {
        onProgress?.(`Creating the app ${app}`);
        await fly.run(flyctl.create(app, organization), { signal });
      }
      await ensureVolumes(spec, options);
      const secrets = await stageSecrets(app, before, options);
      const former =
        before === undefined || before.Machines.length === 0 ? undefined : await formerDeployment(fly, app, options);
      try {
        await convergeMachines(spec, before, { ...options, toml: { ...options, secrets } });
      } catch (error) {
        signal?.throwIfAborted();
        const message = `${messageOf(error)}; ${await rollBack(fly, app, before, former, options)}`;
        // The output of a failed check may contain secrets.
        throw new SeedAgentError(masked(message, Object.values(options.secrets)));
      }
      const after = await fly.statusOf(app, options);
      return { url: after && after.Hostname !== "" ? `https://${after.Hostname}` : undefined, nodes: spec.replicas };
    },

    async observe(name, options) {
      const { app } = flyOf(required(name, options.spec));
      const status = await fly.statusOf(app, options);
      if (status === undefined || status.Machines.length === 0) return undefined;
      checkOwner(app, status, options);
      const volumes = await fly.ask(flyctl.volumes(app), volumeList, options);
      return observed(
        status,
        volumes,
        digestsOf(await fly.ask(flyctl.secrets(app), secretList, options), deployedSecrets(status)),
      );
    },

    drift(spec, release, seen) {
      return driftFrom(declaredSettings(spec), { release, replicas: spec.replicas }, seen);
    },

    async remove(name, options) {
      const { app } = flyOf(required(name, options.spec));
      const status = await fly.statusOf(app, options);
      if (status === undefined) return [];
      checkOwner(app, status, options);
      const run = { signal: options.signal, onProgress: options.onProgress };
      if (options.destroyData) {
        await fly.run(flyctl.destroyApp(app), run);
        return [];
      }
      const ids = (await fly.ask(flyctl.machines(app), machineList, options)).map(({ id }) => id);
      if (ids.length > 0) await fly.run(flyctl.destroyMachines(app, ids), run);
      const secrets = [...(await fly.ask(flyctl.secrets(app), secretList, options)).keys()];
      if (secrets.length > 0) await fly.run(flyctl.unsetSecrets(app, secrets), run);
      const volumes = await fly.ask(flyctl.volumes(app), volumeList, options);
      const kept = volumes.map(({ id, size_gb }) => `${id} (${size_gb} GB)`).join(", ");
      return [
        kept === ""
          ? `the app ${app}, which has no machine and no volume; delete it with: flyctl apps destroy ${app}`
          : `the volumes ${kept} of the app ${app}, which Fly charges for; delete both with: flyctl apps destroy ${app}`,
      ];
    },

    async logs(name, options) {
      const { app } = flyOf(required(name, options.spec));
      const lines = (await fly.text(flyctl.logs(app), options)).split("\n");
      return lines.slice(-options.lines - 1).join("\n");
    },
  };

  /** Creates the missing volumes, one for each machine, and grows the others. Re-entrant. */
  async function ensureVolumes(spec: SeedAgentSpec, options: DeployOptions): Promise<void> {
    const { app, region } = flyOf(spec);
    const run = { signal: options.signal };
    const all = await fly.ask(flyctl.volumes(app), volumeList, options);
    const volumes = all.filter((volume) => volume.region === region);
    if (volumes.length === 0 && all.length > 0 && !("DATABASE_URL" in options.secrets)) {
      const was = all[0]?.region ?? "";
      throw new SeedAgentError(
        `the data of ${spec.name} is only on its volume in ${was}; write region = "${was}", or declare DATABASE_URL, or copy the volume first: flyctl volumes fork ${all[0]?.id} --app ${app} --region ${region}`,
      );
    }
    const larger = volumes.find(({ size_gb }) => size_gb > spec.volumeGb);
    if (larger !== undefined) {
      throw new SeedAgentError(
        `the volume ${larger.id} of ${spec.name} has ${larger.size_gb} GB, and can't shrink; write volume_gb = ${larger.size_gb}`,
      );
    }
    for (const { id, size_gb } of volumes) {
      if (size_gb < spec.volumeGb) await fly.run(flyctl.extendVolume(app, id, spec.volumeGb), run);
    }
    const count = spec.replicas - volumes.length;
    if (count <= 0) return;
    options.onProgress?.(`Creating ${count} volumes of ${spec.volumeGb} GB in ${region}`);
    await fly.run(flyctl.createVolumes(app, volumeName, { region, gb: spec.volumeGb, count }), run);
  }

  /** Sets the secrets if they differ from the last deployment's, or somebody changed them since. */
  async function stageSecrets(
    app: string,
    before: AppStatus | undefined,
    { secrets, signal, onProgress, ...options }: DeployOptions,
  ): Promise<TomlOptions["secrets"]> {
    const names = Object.keys(secrets);
    const fingerprint = secretsFingerprint(secrets);
    const run = { signal, secrets: Object.values(secrets) };
    const set = await fly.ask(flyctl.secrets(app), secretList, { ...options, signal });
    const machines = before?.Machines ?? [];
    const digests = digestsOf(set, names);
    const isSame = noteOf(machines, notes.secrets) === fingerprint && noteOf(machines, notes.secretDigests) === digests;
    const gone = deployedSecrets(before).filter((name) => set.has(name) && !names.includes(name));
    if (gone.length > 0) await fly.run(flyctl.unsetSecrets(app, gone), run);
    if (isSame) return { fingerprint, names, digests };
    onProgress?.(`Setting ${names.length} secrets`);
    await fly.run(flyctl.importSecrets(app), { ...run, input: secretLines(secrets) });
    return {
      fingerprint,
      names,
      digests: digestsOf(await fly.ask(flyctl.secrets(app), secretList, { signal }), names),
    };
  }

  /** Deploys, scales, and waits until every machine is healthy. @throws SeedAgentError if one is not */
  async function convergeMachines(
    spec: SeedAgentSpec,
    before: AppStatus | undefined,
    { toml, ...options }: DeployOptions & { readonly toml: TomlOptions },
  ): Promise<void> {
    const { app, region } = flyOf(spec);
    const machines = before?.Machines ?? [];
    const run = { signal: options.signal, onProgress: options.onProgress };
    if (machines.length > 0 && noteOf(machines, notes.config) === configFingerprint(spec, toml)) {
      await repair(app, machines, run);
    } else {
      // If the running image is of this release, nothing is built.
      const isBuilt = noteOf(machines, notes.release) === options.release;
      const image = isBuilt ? (await fly.releases(app, options)).complete[0]?.ImageRef : undefined;
      const build = image === undefined ? (folder: string) => writeContext(spec, folder) : undefined;
      await fly.deploy(app, flyToml(spec, { ...toml, image }), options, build);
    }
    const now = (await fly.statusOf(app, options))?.Machines ?? [];
    const here = now.filter((each) => each.region === region);
    if (here.length !== spec.replicas) await fly.run(flyctl.scale(app, spec.replicas, region), run);
    const elsewhere = now.filter((each) => each.region !== region).map(({ id }) => id);
    if (elsewhere.length > 0) await fly.run(flyctl.destroyMachines(app, elsewhere), run);
    await fly.awaitHealth(app, spec.replicas, options);
  }

  /** Starts machines that don't run, and restarts those that are not healthy. Leaves the others alone. */
  async function repair(
    app: string,
    machines: readonly Machine[],
    run: Pick<ObserveOptions, "signal" | "onProgress">,
  ): Promise<void> {
    const sick = machines.filter((each) => !node(each).healthy);
    const idle = sick.filter(({ state }) => ["stopped", "suspended", "created"].includes(state)).map(({ id }) => id);
    const failing = sick.filter(({ state }) => state === "started").map(({ id }) => id);
    if (idle.length > 0) await fly.run(flyctl.startMachines(app, idle), run);
    if (failing.length > 0) await fly.run(flyctl.restartMachines(app, failing), run);
  }
}

/**
 * An app without machines was left by a deployment that ended early.
 * @throws SeedAgentError if another stack deploys the app: the two would undo each other's deployments
 */
function checkOwner(app: string, status: AppStatus | undefined, { installation }: ObserveOptions): void {
  const foreign = status?.Machines.find(({ config }) => config?.env[notes.installation] !== installation);
  if (foreign === undefined) return;
  const owner = foreign.config?.env[notes.installation];
  const whose = owner === undefined ? "was not made by this project" : `belongs to the stack ${owner}`;
  throw new SeedAgentError(
    `the machine ${foreign.id} of the app ${app} ${whose}; declare another app, or remove the machine: flyctl machine destroy ${foreign.id} --app ${app} --force`,
  );
}

/** The names of the secrets that the last deployment set. */
function deployedSecrets(status: AppStatus | undefined): string[] {
  return (
    noteOf(status?.Machines ?? [], notes.secretNames)
      ?.split(",")
      .filter(Boolean) ?? []
  );
}

function digestsOf(digests: ReadonlyMap<string, string>, names: readonly string[]): string {
  const known = [...names].sort().map((name) => [name, digests.get(name) ?? ""]);
  return digestOfJson(known).slice(0, 32);
}

function required(name: string, spec: SeedAgentSpec | undefined): SeedAgentSpec {
  if (spec === undefined) throw new SeedAgentError(`the app of ${name} is not known on this machine; run \`up\` once`);
  return spec;
}
