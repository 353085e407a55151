import { z } from "zod/mini";
import { type Bag, mapBag } from "../wire.ts";
import type { Daemon } from "./daemon.ts";
import { containerFields } from "./fields.ts";

const texts = z.nullish(z.array(z.string()));

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  State: z.object({
    Running: z.boolean(),
    ExitCode: z.number(),
    Health: z.nullish(z.object({ Status: z.string() })),
  }),
  Config: z.object({
    Image: z.string(),
    Hostname: z.string(),
    Cmd: texts,
    Entrypoint: texts,
    User: z.string(),
    WorkingDir: z.string(),
    StopSignal: z.nullish(z.string()),
    StopTimeout: z.nullish(z.number()),
  }),
  Platform: z.string(),
  HostConfig: z.object({
    IpcMode: z.string(),
    Runtime: z.string(),
    ShmSize: z.number(),
    SecurityOpt: texts,
    RestartPolicy: z.object({ Name: z.string() }),
    Init: z.nullish(z.boolean()),
    Mounts: z.nullish(
      z.array(
        z.object({
          Type: z.string(),
          Source: z.optional(z.string()),
          Target: z.string(),
          ReadOnly: z.optional(z.boolean()),
        }),
      ),
    ),
    LogConfig: z.object({ Type: z.string() }),
    NetworkMode: z.string(),
    PidMode: z.string(),
    GroupAdd: texts,
  }),
  NetworkSettings: z.object({
    Bridge: z.optional(z.string()),
    Networks: z.nullish(
      z.record(
        z.string(),
        z.object({
          Gateway: z.catch(z.string(), ""),
          GlobalIPv6Address: z.catch(z.string(), ""),
          GlobalIPv6PrefixLen: z.catch(z.number(), 0),
          IPAddress: z.catch(z.string(), ""),
          IPPrefixLen: z.catch(z.number(), 0),
          IPv6Gateway: z.catch(z.string(), ""),
          MacAddress: z.catch(z.string(), ""),
        }),
      ),
    ),
    Ports: z.nullish(z.record(z.string(), z.nullish(z.array(z.object({ HostIp: z.string(), HostPort: z.string() }))))),
  }),
});
export type Inspected = z.infer<typeof inspected>;

/** Nanoseconds: the official plugin's timeout for each step. */
const timeout = 20 * 60e9;

/** Other contents of the official plugin's states: defaults of inputs that are not served, and Terraform's notes. */
export const containerConstants: Bag = {
  __meta: JSON.stringify({
    "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0": { create: timeout, delete: timeout, update: timeout },
    schema_version: "2",
  }),
  attach: false,
  logs: false,
  memoryReservation: 0,
  readOnly: false,
  rm: false,
  stdinOpen: false,
  tty: false,
  wait: false,
};

export const inspect = async (daemon: Daemon, id: string): Promise<Inspected> =>
  inspected.parse(await daemon.call("GET", `/containers/${id}/json`));

/**
 * Computes the state: the daemon's value where it means the same as the input, else the value before. `envs` and
 * `labels` are kept, because the daemon adds the image's to them.
 */
export function stateOf(found: Inspected, before: Bag): Bag {
  const { Config: config, HostConfig: host, NetworkSettings: network } = found;
  const kept = mapBag(before, (value, name) => (containerFields[name] === undefined ? undefined : value));
  const isExpectedToRun = found.State.Running || before["mustRun"] === true;
  const isImageById = String(before["image"]).startsWith("sha256:");
  return {
    ...containerConstants,
    ...kept,
    id: found.Id,
    name: found.Name.replace(/^\//, ""),
    image: isImageById ? found.Image : config.Image,
    hostname: config.Hostname,
    command: config.Cmd ?? [],
    entrypoints: config.Entrypoint ?? [],
    user: config.User,
    workingDir: config.WorkingDir,
    stopSignal: config.StopSignal ?? "",
    stopTimeout: config.StopTimeout ?? 0,
    restart: host.RestartPolicy.Name,
    init: host.Init ?? false,
    logDriver: host.LogConfig.Type,
    networkMode: host.NetworkMode,
    groupAdds: host.GroupAdd ?? [],
    ...(before["pidMode"] !== undefined && { pidMode: host.PidMode }),
    mounts: (host.Mounts ?? []).map(({ Type: type, Source, Target, ReadOnly }) => ({
      type,
      source: Source ?? "",
      target: Target,
      readOnly: ReadOnly ?? false,
    })),
    ...(before["ports"] !== undefined && isExpectedToRun && { ports: portsOf(network.Ports) }),
    bridge: network.Bridge ?? "",
    ipcMode: host.IpcMode,
    runtime: host.Runtime,
    shmSize: Math.trunc(host.ShmSize / 1024 / 1024),
    securityOpts: host.SecurityOpt ?? [],
    platform: found.Platform,
    networkDatas: Object.entries(network.Networks ?? {}).map(([networkName, data]) => ({
      networkName,
      gateway: data.Gateway,
      globalIpv6Address: data.GlobalIPv6Address,
      globalIpv6PrefixLength: data.GlobalIPv6PrefixLen,
      ipAddress: data.IPAddress,
      ipPrefixLength: data.IPPrefixLen,
      ipv6Gateway: data.IPv6Gateway,
      macAddress: data.MacAddress,
    })),
    // A stopped container that should run: the difference from the inputs makes the engine start it again.
    ...(!found.State.Running && { exitCode: found.State.ExitCode }),
    ...(!found.State.Running && before["mustRun"] === true && { mustRun: false }),
  };
}

function portsOf(ports: Inspected["NetworkSettings"]["Ports"]): Bag[] {
  return Object.entries(ports ?? {}).flatMap(([port, bindings]) => {
    const [internal, protocol = "tcp"] = port.split("/");
    return (bindings ?? []).map(({ HostIp: ip, HostPort }) => ({
      internal: Number(internal),
      external: Number(HostPort),
      ip,
      protocol,
    }));
  });
}
