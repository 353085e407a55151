import * as z from "zod/mini";
import { deployedFolder, deployedIdsOf } from "./deployed-ids.ts";
import { parseStackIdentity, stackIdentityFile } from "./identity.ts";
import { ModalError } from "./modal-error.ts";
import { homeVolumeName } from "./names.ts";
import type { Modal, ObservedModal, ObservedSnapshot, Volume } from "./types.ts";

export interface ObserveModalOptions {
  readonly stack: string;
  readonly client: Modal;
  /** The environment of this machine's mngr identity, which is searched first; undefined if it has none. */
  readonly localEnvironment: string | undefined;
  /** At most 18, by default. */
  readonly timeoutSeconds?: number | undefined;
}

/** For a stack that has nothing on Modal. */
export const nothingOnModal: ObservedModal = {
  environment: undefined,
  identity: undefined,
  apps: new Map(),
  secrets: new Map(),
  volumes: new Map(),
  deployedIds: new Map(),
  snapshots: new Map(),
};

/** Less than the 20 s that `observeModal` promises. */
const defaultTimeoutSeconds = 18;
/** How many environments are searched concurrently. */
const mostAtOnce = 8;

/** @throws ModalError within 20 s if Modal can't be reached, or if several environments contain a home of the stack */
export async function observeModal(options: ObserveModalOptions): Promise<ObservedModal> {
  const { timeoutSeconds = defaultTimeoutSeconds } = options;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `Modal did not answer within ${timeoutSeconds} s`;
    const remedy = "check the network and https://status.modal.com, then run it again";
    timer = setTimeout(() => reject(new ModalError("unreachable", message, remedy)), timeoutSeconds * 1000);
  });
  try {
    return await Promise.race([observe(options), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function observe({ stack, client, localEnvironment }: ObserveModalOptions): Promise<ObservedModal> {
  const home = homeVolumeName(stack);
  const found = await environmentOf(client, home, localEnvironment);
  if (found === undefined) return nothingOnModal;
  const { environment, volumes } = found;
  const [apps, secrets, identity, snapshots, deployed] = await Promise.all([
    client.apps(environment),
    client.secrets(environment),
    client.readFile(home, environment, stackIdentityFile),
    snapshotsOn(client, home, environment),
    client.files(home, environment, deployedFolder),
  ]);
  return {
    environment,
    identity: identity === undefined ? undefined : parseStackIdentity(identity),
    apps: new Map(apps.map((app) => [app.name, app])),
    secrets: new Map(secrets.map(({ name, id }) => [name, id])),
    volumes: new Map(volumes.map(({ name, id }) => [name, id])),
    deployedIds: deployedIdsOf(deployed),
    snapshots: new Map(snapshots),
  };
}

const snapshotRecord = z.object({ imageId: z.string() });

/** A stack has few snapshots: one for each branch that runs start from. */
async function snapshotsOn(client: Modal, home: string, environment: string): Promise<[string, ObservedSnapshot][]> {
  const files = await client.files(home, environment, "snapshots");
  const found = files.map(async ({ path, modifiedAt }): Promise<[string, ObservedSnapshot][]> => {
    const [, label] = /([^/]+)\.json$/.exec(path) ?? [];
    if (label === undefined) return [];
    const record = snapshotRecord.safeParse(parseJson((await client.readFile(home, environment, path)) ?? ""));
    const hasImage = record.success && (await client.hasImage(record.data.imageId));
    return [[label, { recordedAt: modifiedAt, hasImage }]];
  });
  return (await Promise.all(found)).flat();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Found {
  readonly environment: string;
  readonly volumes: readonly Volume[];
}

/** The environment of this machine's own identity, if it contains the home: then no other environment is searched. */
async function environmentOf(
  client: Modal,
  home: string,
  localEnvironment: string | undefined,
): Promise<Found | undefined> {
  const environments = await client.environments();
  const isLocal = (name: string) => name === localEnvironment;
  const local = await holding(client, home, environments.filter(isLocal));
  const all =
    local.length > 0
      ? local
      : await holding(
          client,
          home,
          environments.filter((name) => !isLocal(name)),
        );
  if (all.length <= 1) return all[0];
  const names = all.map(({ environment }) => environment).sort();
  throw new ModalError(
    "other",
    `the stack's home volume ${home} exists in several environments: ${names.join(", ")}`,
    `delete the wrong ones with: modal volume delete ${home} --env ENVIRONMENT`,
  );
}

/** @returns the environments that contain the volume */
async function holding(client: Modal, volume: string, environments: readonly string[]): Promise<Found[]> {
  const waiting = [...environments];
  const found: Found[] = [];
  const work = async () => {
    for (let environment = waiting.shift(); environment !== undefined; environment = waiting.shift()) {
      const volumes = await volumesOf(client, environment);
      if (volumes.some(({ name }) => name === volume)) found.push({ environment, volumes });
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, work));
  return found;
}

async function volumesOf(client: Modal, environment: string): Promise<Volume[]> {
  try {
    return await client.volumes(environment);
  } catch (error) {
    // It was just removed, or this token has no access to it.
    if (error instanceof ModalError && (error.kind === "not_found" || error.kind === "wrong_token")) return [];
    throw error;
  }
}
