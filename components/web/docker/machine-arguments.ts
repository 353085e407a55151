import { dirname, resolve } from "node:path";
import { parseBuildArgs } from "../../fleet/build-args.ts";

export interface ContainerOptions {
  /** As written in the fleet file. */
  readonly buildArgs: readonly string[];
  /** Absolute path that relative paths in them are resolved against. */
  readonly repo: string;
  /** Volume names by mount path. */
  readonly volumes: Readonly<Record<string, string>>;
  /** For the container, and for images built for it. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerArguments {
  /** For `docker build`; empty if the image is mngr's own. */
  readonly buildArgs: readonly string[];
  /** For `docker run`. */
  readonly startArgs: readonly string[];
  /** Content of the `Dockerfile` to write to `folder`; undefined if none is needed. */
  readonly dockerfile: string | undefined;
}

/**
 * Docker's arguments for a web agent's container, translated from build arguments in Modal's terms.
 *
 * @param folder where our own Dockerfile would be written. Absolute
 */
export function containerArguments(options: ContainerOptions, folder: string): ContainerArguments {
  const { args } = parseBuildArgs(options.buildArgs, "docker");
  const all = (wanted: string) => args.flatMap(({ key, value }) => (key === wanted ? [value] : []));
  const last = (wanted: string) => all(wanted).at(-1);
  const labels = Object.entries(options.labels).map(([label, value]) => `--label=${label}=${value}`);
  const [cpu, memory, image] = [last("cpu"), last("memory"), last("image")];
  const startArgs = [
    ...labels,
    ...Object.entries(options.volumes).map(([path, name]) => `--volume=${name}:${path}`),
    ...(cpu === undefined ? [] : [`--cpus=${cpu}`]),
    ...(memory === undefined ? [] : [`--memory=${memory}g`]),
  ];
  // mngr would ask a registry for a named image, even if it exists locally.
  if (image !== undefined) return { buildArgs: [...labels, folder], startArgs, dockerfile: `FROM ${image}\n` };
  const within = (path: string) => resolve(options.repo, path);
  const file = last("file");
  const context = last("context-dir") ?? (file && dirname(file));
  const given = [
    ...(file === undefined ? [] : [`--file=${within(file)}`]),
    ...all("docker-build-arg").map((each) => `--build-arg=${each}`),
  ];
  const isOwn = given.length === 0 && context === undefined;
  return { buildArgs: isOwn ? [] : [...labels, ...given, within(context ?? ".")], startArgs, dockerfile: undefined };
}
