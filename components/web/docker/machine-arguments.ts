import { dirname, resolve } from "node:path";
import { parseBuildArgs } from "../../fleet/build-args.ts";

export interface ContainerOptions {
  /** As the fleet file has them. */
  readonly buildArgs: readonly string[];
  /** What relative paths among them are relative to. Absolute. */
  readonly repo: string;
  /** By where they are mounted: the names of the volumes. */
  readonly volumes: Readonly<Record<string, string>>;
  /** On the container, and on images that are made for it. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerArguments {
  /** Of `docker build`; empty: the image is mngr's own. */
  readonly buildArgs: readonly string[];
  /** Of `docker run`. */
  readonly startArgs: readonly string[];
  /** What `folder` has to hold as its `Dockerfile`; undefined: nothing is read there. */
  readonly dockerfile: string | undefined;
}

/**
 * What Docker is told of a web agent's container, from build arguments in the words that Modal has for them.
 *
 * @param folder where a Dockerfile of ours would lie. Absolute
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
  // mngr would ask a registry for an image that is named, also for one that is here.
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
