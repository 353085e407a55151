import { z } from "zod/mini";
import { labels, toLabelMap } from "./labels.ts";

const texts = z.optional(z.array(z.string()));

/** The checked inputs of a Container. */
export const containerInputs = z.object({
  name: z.string(),
  image: z.string(),
  command: texts,
  entrypoints: texts,
  envs: texts,
  labels: z.optional(labels),
  user: z.optional(z.string()),
  groupAdds: texts,
  networkMode: z.string(),
  pidMode: z.optional(z.string()),
  hostname: z.optional(z.string()),
  workingDir: z.optional(z.string()),
  init: z.optional(z.boolean()),
  stopSignal: z.optional(z.string()),
  stopTimeout: z.optional(z.number()),
  logDriver: z.optional(z.string()),
  restart: z.string(),
  start: z.boolean(),
  mustRun: z.boolean(),
  wait: z.optional(z.boolean()),
  waitTimeout: z.number(),
  removeVolumes: z.boolean(),
  destroyGraceSeconds: z.optional(z.number()),
  mounts: z.optional(
    z.array(
      z.object({
        target: z.string(),
        source: z.optional(z.string()),
        type: z.string(),
        readOnly: z.optional(z.boolean()),
      }),
    ),
  ),
  volumes: z.optional(
    z.array(
      z.object({
        containerPath: z.optional(z.string()),
        hostPath: z.optional(z.string()),
        volumeName: z.optional(z.string()),
        readOnly: z.optional(z.boolean()),
      }),
    ),
  ),
  ports: z.optional(
    z.array(z.object({ internal: z.number(), external: z.optional(z.number()), ip: z.string(), protocol: z.string() })),
  ),
});
export type ContainerInputs = z.infer<typeof containerInputs>;
type Port = NonNullable<ContainerInputs["ports"]>[number];

/** The body of the daemon's `POST /containers/create`, as the official plugin fills it. */
export function toConfig(inputs: ContainerInputs) {
  const { volumes = [], ports = [] } = inputs;
  const portOf = (port: Port) => `${port.internal}/${port.protocol}`;
  const bindings = Object.fromEntries(
    Object.entries(Object.groupBy(ports, portOf)).map(([port, list = []]) => [port, list.map(toBinding)]),
  );
  return {
    Image: inputs.image,
    Hostname: inputs.hostname,
    Env: inputs.envs,
    Cmd: inputs.command,
    // An empty list would override the image's own entrypoint. The official plugin doesn't do that.
    Entrypoint: inputs.entrypoints?.length ? inputs.entrypoints : undefined,
    User: inputs.user,
    WorkingDir: inputs.workingDir,
    Labels: toLabelMap(inputs.labels),
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    Volumes: Object.fromEntries(volumes.map(({ containerPath = "" }) => [containerPath, {}])),
    StopSignal: inputs.stopSignal,
    StopTimeout: inputs.stopTimeout || undefined,
    HostConfig: {
      Binds: volumes.flatMap(toBind),
      Mounts: (inputs.mounts ?? []).map(({ target, source, type, readOnly }) => ({
        Target: target,
        Source: source,
        Type: type,
        ReadOnly: readOnly ?? false,
      })),
      PortBindings: bindings,
      NetworkMode: inputs.networkMode,
      PidMode: inputs.pidMode,
      GroupAdd: inputs.groupAdds,
      Init: inputs.init ?? false,
      LogConfig: { Type: inputs.logDriver ?? "" },
      RestartPolicy: { Name: inputs.restart },
    },
  };
}

const toBinding = ({ ip, external = 0 }: Port) => ({ HostIp: ip, HostPort: String(external) });

/** The bind of an entry of `volumes`. One without a source is an anonymous volume. */
function toBind(volume: NonNullable<ContainerInputs["volumes"]>[number]): string[] {
  const { containerPath = "", hostPath, volumeName, readOnly } = volume;
  const source = hostPath || volumeName;
  return source ? [`${source}:${containerPath}:${readOnly ? "ro" : "rw"}`] : [];
}
