import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parse, stringify } from "smol-toml";
import * as z from "zod/mini";
import { asError } from "../../lib/as-error.ts";
import { canonicalJson } from "../../lib/json.ts";
import { masked } from "../../lib/masking.ts";
import { driftFrom } from "../drift.ts";
import { type DeployOptions, type ObserveOptions, SeedAgentError, type SeedAgentProvider } from "../provider.ts";
import type { CliOptions } from "../provider-cli.ts";
import { secretsFingerprint } from "../secrets-fingerprint.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { flyctlArguments as flyctl } from "./arguments.ts";
import { configFingerprint, flyOf, flyToml, notes, type TomlOptions, volumeName } from "./fly-toml.ts";
import {
  type AppStatus,
  appList,
  appStatus,
  declaredSettings,
  type Machine,
  machineList,
  node,
  noteOf,
  observed,
  releaseList,
  secretList,
  volumeList,
} from "./observe.ts";
import { flyctlCli } from "./run-flyctl.ts";
import { secretLines } from "./secret-lines.ts";

export interface FlyOptions {
  /** Contains FLY_API_TOKEN, unless the user logged in by `flyctl auth login`. */
  readonly env: NodeJS.ProcessEnv;
  /** Writes the image's build context for a spec into a folder. */
  readonly writeContext: (spec: SeedAgentSpec, folder: string) => Promise<void>;
  /** How long machines may take to become healthy after a deployment, and how often they are checked. */
  readonly health?: { readonly timeoutSeconds: number; readonly everySeconds: number };
}

const seconds = { asked: 120, done: 600, deployed: 3600 };

/** Seed agents on Fly.io, by the user's own flyctl. */
export function flyProvider({ env, writeContext, health }: FlyOptions): SeedAgentProvider {
  const { timeoutSeconds: healthSeconds, everySeconds } = health ?? { timeoutSeconds: 600, everySeconds: 5 };

  async function ask<Type>(
    args: readonly string[],
    schema: z.ZodMiniType<Type>,
    { signal }: Pick<ObserveOptions, "signal">,
  ): Promise<Type> {
    const text = await flyctlCli.run(args, { env, signal, timeoutSeconds: seconds.asked });
    return parsed(args, text, schema);
  }

  /** @returns undefined if the user can see no such app */
  async function statusOf(app: string, options: Pick<ObserveOptions, "signal">): Promise<AppStatus | undefined> {
    const args = flyctl.status(app);
    const run: CliOptions = { env, signal: options.signal, timeoutSeconds: seconds.asked };
    const ended = await flyctlCli.try(args, run);
    if (ended.code === 0) return parsed(args, ended.stdout, appStatus);
    const error = flyctlCli.errorOf(args, ended, run);
    if (!/not find app|app .*not found/i.test(error.message)) throw error;
    // flyctl's words may change. The list is certain.
    if ((await ask(flyctl.apps(), appList, options)).includes(app)) throw error;
    return undefined;
  }

  return {
    async deploy(spec, options) {
      const { app, organization } = flyOf(spec);
      const { signal, onProgress } = options;
      const before = await statusOf(app, options);
      checkOwner(app, before, options);
      if (before === undefined) {
        onProgress?.(`Creating the app ${app}`);
        await flyctlCli.run(flyctl.create(app, organization), { env, signal, timeoutSeconds: seconds.done });
      }
      await ensureVolumes(spec, options);
      const secrets = await stageSecrets(app, before, options);
      const former = before === undefined || before.Machines.length === 0 ? undefined : await formerOf(app, options);
      try {
        await convergeMachines(spec, before, { ...options, toml: { ...options, secrets } });
      } catch (error) {
        signal?.throwIfAborted();
        const message = `${asError(error).message}; ${await rollBack(app, before, former, options)}`;
        // The output of a failed check may contain secrets.
        throw new SeedAgentError(masked(message, Object.values(options.secrets)));
      } finally {
        former?.remove();
      }
      const after = await statusOf(app, options);
      return { url: after && after.Hostname !== "" ? `https://${after.Hostname}` : undefined, nodes: spec.replicas };
    },

    async observe(name, options) {
      const { app } = flyOf(required(name, options.spec));
      const status = await statusOf(app, options);
      if (status === undefined || status.Machines.length === 0) return undefined;
      checkOwner(app, status, options);
      const volumes = await ask(flyctl.volumes(app), volumeList, options);
      return observed(status, volumes, digestsOf(await ask(flyctl.secrets(app), secretList, options), namesIn(status)));
    },

    drift(spec, release, seen) {
      return driftFrom(declaredSettings(spec), { release, replicas: spec.replicas }, seen);
    },

    async remove(name, options) {
      const { app } = flyOf(required(name, options.spec));
      const status = await statusOf(app, options);
      if (status === undefined) return [];
      checkOwner(app, status, options);
      const run = { env, signal: options.signal, timeoutSeconds: seconds.done, onProgress: options.onProgress };
      if (options.destroyData) {
        await flyctlCli.run(flyctl.destroyApp(app), run);
        return [];
      }
      const ids = (await ask(flyctl.machines(app), machineList, options)).map(({ id }) => id);
      if (ids.length > 0) await flyctlCli.run(flyctl.destroyMachines(app, ids), run);
      const secrets = [...(await ask(flyctl.secrets(app), secretList, options)).keys()];
      if (secrets.length > 0) await flyctlCli.run(flyctl.unsetSecrets(app, secrets), run);
      const volumes = await ask(flyctl.volumes(app), volumeList, options);
      const kept = volumes.map(({ id, size_gb }) => `${id} (${size_gb} GB)`).join(", ");
      return [
        kept === ""
          ? `the app ${app}, which has no machine and no volume; delete it with: flyctl apps destroy ${app}`
          : `the volumes ${kept} of the app ${app}, which Fly charges for; delete both with: flyctl apps destroy ${app}`,
      ];
    },

    async logs(name, options) {
      const { app } = flyOf(required(name, options.spec));
      const text = await flyctlCli.run(flyctl.logs(app), {
        env,
        signal: options.signal,
        timeoutSeconds: seconds.asked,
      });
      return text
        .split("\n")
        .slice(-options.lines - 1)
        .join("\n");
    },
  };

  /** Creates the missing volumes, one for each machine, and grows the others. Re-entrant. */
  async function ensureVolumes(spec: SeedAgentSpec, options: DeployOptions): Promise<void> {
    const { app, region } = flyOf(spec);
    const run = { env, signal: options.signal, timeoutSeconds: seconds.done };
    const all = await ask(flyctl.volumes(app), volumeList, options);
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
      if (size_gb < spec.volumeGb) await flyctlCli.run(flyctl.extendVolume(app, id, spec.volumeGb), run);
    }
    const count = spec.replicas - volumes.length;
    if (count <= 0) return;
    options.onProgress?.(`Creating ${count} volumes of ${spec.volumeGb} GB in ${region}`);
    await flyctlCli.run(flyctl.createVolumes(app, volumeName, { region, gb: spec.volumeGb, count }), run);
  }

  /** Sets the secrets if they differ from the last deployment's, or somebody changed them since. */
  async function stageSecrets(
    app: string,
    before: AppStatus | undefined,
    { secrets, signal, onProgress, ...options }: DeployOptions,
  ): Promise<TomlOptions["secrets"]> {
    const names = Object.keys(secrets);
    const fingerprint = secretsFingerprint(secrets);
    const run = { env, signal, timeoutSeconds: seconds.done, secrets: Object.values(secrets) };
    const set = await ask(flyctl.secrets(app), secretList, { ...options, signal });
    const machines = before?.Machines ?? [];
    const digests = digestsOf(set, names);
    const isSame = noteOf(machines, notes.secrets) === fingerprint && noteOf(machines, notes.secretDigests) === digests;
    const gone = namesIn(before).filter((name) => set.has(name) && !names.includes(name));
    if (gone.length > 0) await flyctlCli.run(flyctl.unsetSecrets(app, gone), run);
    if (isSame) return { fingerprint, names, digests };
    onProgress?.(`Setting ${names.length} secrets`);
    await flyctlCli.run(flyctl.importSecrets(app), { ...run, input: secretLines(secrets) });
    return { fingerprint, names, digests: digestsOf(await ask(flyctl.secrets(app), secretList, { signal }), names) };
  }

  /** Deploys, scales, and waits until every machine is healthy. @throws SeedAgentError if one is not */
  async function convergeMachines(
    spec: SeedAgentSpec,
    before: AppStatus | undefined,
    { toml, ...options }: DeployOptions & { readonly toml: TomlOptions },
  ): Promise<void> {
    const { app, region } = flyOf(spec);
    const machines = before?.Machines ?? [];
    const run = { env, signal: options.signal, timeoutSeconds: seconds.done, onProgress: options.onProgress };
    if (machines.length > 0 && noteOf(machines, notes.config) === configFingerprint(spec, toml)) {
      await repair(app, machines, run);
    } else {
      // If the running image is of this release, nothing is built.
      const isBuilt = noteOf(machines, notes.release) === options.release;
      const image = isBuilt ? (await completeReleases(app, options))[0]?.ImageRef : undefined;
      await withFolder(spec.name, options, async (folder) => {
        if (image === undefined) await writeContext(spec, folder);
        await deployFrom(app, folder, flyToml(spec, { ...toml, image }), options);
      });
    }
    const now = (await statusOf(app, options))?.Machines ?? [];
    const here = now.filter((each) => each.region === region);
    if (here.length !== spec.replicas) await flyctlCli.run(flyctl.scale(app, spec.replicas, region), run);
    const elsewhere = now.filter((each) => each.region !== region).map(({ id }) => id);
    if (elsewhere.length > 0) await flyctlCli.run(flyctl.destroyMachines(app, elsewhere), run);
    await awaitHealth(app, spec.replicas, options);
  }

  /** Starts machines that don't run, and restarts those that are not healthy. Leaves the others alone. */
  async function repair(app: string, machines: readonly Machine[], run: CliOptions): Promise<void> {
    const sick = machines.filter((each) => !node(each).healthy);
    const idle = sick.filter(({ state }) => ["stopped", "suspended", "created"].includes(state)).map(({ id }) => id);
    const failing = sick.filter(({ state }) => state === "started").map(({ id }) => id);
    if (idle.length > 0) await flyctlCli.run(flyctl.startMachines(app, idle), run);
    if (failing.length > 0) await flyctlCli.run(flyctl.restartMachines(app, failing), run);
  }

  async function deployFrom(app: string, folder: string, toml: string, options: DeployOptions): Promise<void> {
    writeFileSync(join(folder, "fly.toml"), toml);
    const { signal, onProgress, secrets } = options;
    const run = { env, signal, onProgress, secrets: Object.values(secrets), timeoutSeconds: seconds.deployed };
    await flyctlCli.run(flyctl.deploy(app, folder), run);
  }

  async function awaitHealth(app: string, replicas: number, options: ObserveOptions): Promise<void> {
    const deadline = Date.now() + healthSeconds * 1000;
    for (;;) {
      const nodes = ((await statusOf(app, options))?.Machines ?? []).map(node);
      const sick = nodes.filter(({ healthy }) => !healthy);
      if (nodes.length === replicas && sick.length === 0) return;
      if (Date.now() >= deadline) {
        const why = sick.map(({ id, problem }) => `${id}: ${problem}`).join("; ");
        throw new SeedAgentError(
          `${app} does not become healthy: ${why || `${nodes.length} of ${replicas} machines run`}`,
        );
      }
      await pause(everySeconds * 1000, undefined, { signal: options.signal });
    }
  }

  async function completeReleases(app: string, options: ObserveOptions) {
    const releases = await ask(flyctl.releases(app), releaseList, options);
    return releases.filter(({ Status, ImageRef }) => /^complete/i.test(Status) && ImageRef !== "");
  }

  /** The deployment to go back to: its image and its fly.toml. */
  async function formerOf(app: string, options: DeployOptions): Promise<Former | undefined> {
    const [newest] = await ask(flyctl.releases(app), releaseList, options);
    const [complete] = await completeReleases(app, options);
    // After a failed deployment, Fly's configuration is not that of the last good image.
    if (complete === undefined || newest?.Version !== complete.Version) return undefined;
    const folder = join(options.folder, `${app}.former`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, "fly.toml");
    await flyctlCli.run(flyctl.saveConfig(app, path), { env, signal: options.signal, timeoutSeconds: seconds.asked });
    const toml = readFileSync(path, "utf8");
    return { image: complete.ImageRef, toml, remove: () => rmSync(folder, { recursive: true, force: true }) };
  }

  /** @returns in words, what it did */
  async function rollBack(
    app: string,
    before: AppStatus | undefined,
    former: Former | undefined,
    options: DeployOptions,
  ): Promise<string> {
    const release = noteOf(before?.Machines ?? [], notes.release);
    if (former === undefined) return "repair the cause, and run `up` again; see: flyctl logs and flyctl checks list";
    try {
      const now = (await statusOf(app, options))?.Machines ?? [];
      if (release !== undefined && noteOf(now, notes.release) === release && now.every((each) => node(each).healthy)) {
        return `the release ${release} still runs`;
      }
      await withFolder(app, options, (folder) =>
        deployFrom(app, folder, withImage(former.toml, former.image), options),
      );
      await awaitHealth(app, before?.Machines.length ?? 0, options);
    } catch (error) {
      return `and it can't be rolled back: ${asError(error).message}`;
    }
    return `it was rolled back to the release ${release ?? "before"}; secrets that changed stay changed`;
  }
}

/** The deployment that a failed one is rolled back to. */
interface Former {
  readonly image: string;
  readonly toml: string;
  remove(): void;
}

/** A configuration that deploys this image. */
function withImage(toml: string, image: string): string {
  return stringify({ ...parse(toml), build: { image } });
}

async function withFolder(
  name: string,
  { folder }: Pick<ObserveOptions, "folder">,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const path = join(folder, `${name}.fly`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  try {
    await use(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
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
function namesIn(status: AppStatus | undefined): string[] {
  return (
    noteOf(status?.Machines ?? [], notes.secretNames)
      ?.split(",")
      .filter(Boolean) ?? []
  );
}

function digestsOf(digests: ReadonlyMap<string, string>, names: readonly string[]): string {
  const known = [...names].sort().map((name) => [name, digests.get(name) ?? ""]);
  return createHash("sha256").update(canonicalJson(known)).digest("hex").slice(0, 32);
}

/** @throws SeedAgentError if flyctl printed something else */
function parsed<Type>(args: readonly string[], text: string, schema: z.ZodMiniType<Type>): Type {
  const command = `flyctl ${args.slice(0, 2).join(" ")}`;
  try {
    return z.parse(schema, JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.core.$ZodError ? z.prettifyError(error) : "it is not JSON";
    throw new SeedAgentError(`${command} printed something unexpected (${why}); update it: flyctl version update`);
  }
}

function required(name: string, spec: SeedAgentSpec | undefined): SeedAgentSpec {
  if (spec === undefined) throw new SeedAgentError(`the app of ${name} is not known on this machine; run \`up\` once`);
  return spec;
}
