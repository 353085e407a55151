import * as z from "zod/mini";
import type { Observed } from "../provider.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { declaredVariables, flyOf, notes, volumeName } from "./fly-toml.ts";

/** The parts of flyctl's JSON that are read. */
const machine = z.looseObject({
  id: z.string(),
  state: z._default(z.string(), "unknown"),
  region: z._default(z.string(), ""),
  host_status: z.optional(z.string()),
  config: z.optional(z.looseObject({ env: z._default(z.record(z.string(), z.string()), {}) })),
  checks: z.optional(
    z.nullable(
      z.array(
        z.looseObject({
          ...{ name: z._default(z.string(), "a check"), status: z._default(z.string(), "unknown") },
          output: z.optional(z.string()),
        }),
      ),
    ),
  ),
});
export type Machine = z.output<typeof machine>;
export const machineList = z.pipe(
  z.nullable(z.array(machine)),
  z.transform((list) => list ?? []),
);

export const appStatus = z.looseObject({ Hostname: z._default(z.string(), ""), Machines: z._default(machineList, []) });
export type AppStatus = z.output<typeof appStatus>;

export const appList = z.pipe(
  z.nullable(z.array(z.looseObject({ Name: z.string() }))),
  z.transform((apps) => (apps ?? []).map(({ Name }) => Name)),
);

const volume = z.looseObject({
  id: z.string(),
  name: z.string(),
  state: z._default(z.string(), ""),
  region: z._default(z.string(), ""),
  size_gb: z._default(z.number(), 0),
});
export type Volume = z.output<typeof volume>;
/** Without volumes that are being destroyed. */
export const volumeList = z.pipe(
  z.nullable(z.array(volume)),
  z.transform((all) => (all ?? []).filter(({ name, state }) => name === volumeName && !/destroy/.test(state))),
);

/** Older releases of flyctl wrote `Name` and `Digest`. */
const secret = z.looseObject({
  ...{ name: z.optional(z.string()), digest: z.optional(z.string()) },
  ...{ Name: z.optional(z.string()), Digest: z.optional(z.string()) },
});
/** Fly's digests of the secrets, by name. */
export const secretList = z.pipe(
  z.nullable(z.array(secret)),
  z.transform(
    (list) => new Map((list ?? []).map((each) => [each.name ?? each.Name ?? "", each.digest ?? each.Digest ?? ""])),
  ),
);

const release = z.looseObject({
  Version: z.number(),
  Status: z._default(z.string(), ""),
  ImageRef: z._default(z.string(), ""),
});
/** Newest first. */
export const releaseList = z.pipe(
  z.nullable(z.array(release)),
  z.transform((list) => (list ?? []).sort((one, other) => other.Version - one.Version)),
);

/** The value of a note if all machines have the same; undefined if they differ, or have none. */
export function noteOf(machines: readonly Machine[], note: string): string | undefined {
  const values = new Set(machines.map(({ config }) => config?.env[note]));
  const [value] = values;
  return values.size === 1 ? value : undefined;
}

export function observed(
  { Hostname, Machines }: AppStatus,
  volumes: readonly Volume[],
  secretDigests: string | undefined,
): Observed {
  return {
    release: noteOf(Machines, notes.release),
    nodes: Machines.map(node),
    url: Hostname === "" ? undefined : `https://${Hostname}`,
    settings: {
      ...liveVariables(Machines),
      region: distinct(Machines.map(({ region }) => region)),
      // Volumes that were left in another region belong to no machine.
      volume: distinct(volumes.filter(isUsed(Machines)).map(({ size_gb }) => `${size_gb} GB`)),
      secrets: noteOf(Machines, notes.secretDigests) === secretDigests ? asDeployed : "changed by somebody else",
    },
  };
}

function isUsed(machines: readonly Machine[]): (volume: Volume) => boolean {
  const regions = new Set(machines.map(({ region }) => region));
  return ({ region }) => regions.has(region);
}

const asDeployed = "as deployed";

/** The settings of an app if nobody changed anything. */
export function declaredSettings(spec: SeedAgentSpec): Record<string, string> {
  const variables = Object.entries(declaredVariables(spec)).map(([name, value]) => [`env ${name}`, value]);
  return {
    ...Object.fromEntries(variables),
    region: flyOf(spec).region,
    volume: `${spec.volumeGb} GB`,
    secrets: asDeployed,
  };
}

export function node({ id, state, host_status: host, checks }: Machine): Observed["nodes"][number] {
  if (host !== undefined && host !== "ok") return { id, healthy: false, problem: `its host is ${host}` };
  if (state !== "started") return { id, healthy: false, problem: `it is ${state}` };
  const failing = (checks ?? []).filter(({ status }) => status !== "passing");
  if (failing.length === 0) return { id, healthy: true };
  // A check's output comes from the agent's machine, and is untrusted.
  const words = failing.map(({ name, status, output }) =>
    [name, status, output?.slice(0, 200)].filter(Boolean).join(" "),
  );
  return { id, healthy: false, problem: words.join("; ") };
}

/** The service's variables, without Fly's own and `notes`. */
function liveVariables(machines: readonly Machine[]): Record<string, string> {
  const own = new Set<string>(Object.values(notes));
  const names = new Set(machines.flatMap(({ config }) => Object.keys(config?.env ?? {})));
  return Object.fromEntries(
    [...names]
      .filter((name) => !own.has(name) && !name.startsWith("FLY_") && name !== "PRIMARY_REGION")
      .map((name) => [`env ${name}`, distinct(machines.map(({ config }) => config?.env[name] ?? "(unset)"))]),
  );
}

function distinct(values: readonly string[]): string {
  return [...new Set(values)].sort().join(" and ");
}
