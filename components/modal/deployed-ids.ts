import { homeVolumeName, runsVolumeName, secretName, stackSecretName } from "./names.ts";
import type { DeployedIds, ObservedModal, VolumeFile } from "./types.ts";

export const deployedFolder = "deployed";
const none = "none";

type Live = Pick<ObservedModal, "secrets" | "volumes">;

/** The ids that an app would get if it were deployed now. @returns undefined if one of them does not exist */
export function currentIds(
  app: { readonly stack: string; readonly name: string; readonly hasSecrets: boolean },
  { secrets, volumes }: Live,
): DeployedIds | undefined {
  const stackSecret = secrets.get(stackSecretName(app.stack));
  const secret = secrets.get(secretName(app.stack, app.name));
  const homeVolume = volumes.get(homeVolumeName(app.stack));
  const runsVolume = volumes.get(runsVolumeName(app.stack));
  if (stackSecret === undefined || homeVolume === undefined || runsVolume === undefined) return undefined;
  if (app.hasSecrets && secret === undefined) return undefined;
  return { stackSecret, secret: app.hasSecrets ? secret : undefined, homeVolume, runsVolume };
}

/** A dot is a safe separator: neither a changeling's name nor an id on Modal contains one. */
export function deployedFile(
  name: string,
  { stackSecret, secret = none, homeVolume, runsVolume }: DeployedIds,
): string {
  return `${deployedFolder}/${[name, stackSecret, secret, homeVolume, runsVolume].join(".")}`;
}

/** A file's changeling, and its ids. @returns undefined for a file that is not ours */
export function parseDeployedFile(path: string): { readonly name: string; readonly ids: DeployedIds } | undefined {
  const parts = path.slice(path.lastIndexOf("/") + 1).split(".");
  const [name, stackSecret, secret, homeVolume, runsVolume] = parts;
  if (parts.length !== 5 || !name || !stackSecret || !secret || !homeVolume || !runsVolume) return undefined;
  return { name, ids: { stackSecret, secret: secret === none ? undefined : secret, homeVolume, runsVolume } };
}

/** By changeling. A changeling has several if a deployment was interrupted. */
export function deployedIdsOf(files: readonly VolumeFile[]): Map<string, DeployedIds[]> {
  const found = new Map<string, DeployedIds[]>();
  for (const { path } of files) {
    const parsed = parseDeployedFile(path);
    if (parsed !== undefined) found.set(parsed.name, [...(found.get(parsed.name) ?? []), parsed.ids]);
  }
  return found;
}

const words: Readonly<Record<keyof DeployedIds, string>> = {
  stackSecret: "the stack's Modal Secret",
  secret: "its Modal Secret",
  homeVolume: "the stack's home volume",
  runsVolume: "the stack's volume of run records",
};

/**
 * Which Secret or volume of a deployed app was deleted, or recreated under the same name, since the app was deployed.
 * @returns as text; undefined if there is none, or the ids were not recorded
 */
export function deadId(
  app: { readonly stack: string; readonly name: string },
  observed: ObservedModal,
): string | undefined {
  const recorded = observed.deployedIds.get(app.name);
  if (recorded === undefined) return undefined;
  const live = new Set([...observed.secrets.values(), ...observed.volumes.values()]);
  for (const part of ["stackSecret", "secret", "homeVolume", "runsVolume"] as const) {
    const isDead = recorded.some(({ [part]: id }) => id !== undefined && !live.has(id));
    if (isDead) return `${words[part]} was deleted or created again after its app was deployed`;
  }
  return undefined;
}
