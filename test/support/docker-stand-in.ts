import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";

interface Container {
  readonly Id: string;
  Name: string;
  State: { Running: boolean; Restarting: boolean; ExitCode: number; Health?: { Status: string } };
  readonly Config: { Image: string; Env: string[]; Labels: Record<string, string> };
  readonly HostConfig: { PortBindings: Record<string, { HostIp: string; HostPort: string }[]> };
  readonly network: string | undefined;
  readonly volumes: string[];
  /** Counts starts of all containers. */
  startedAt?: number;
}

/** What a stand-in for Docker contains. */
export interface DockerWorld {
  images: string[];
  readonly networks: Record<string, Record<string, string>>;
  readonly volumes: Record<string, Record<string, string>>;
  containers: Container[];
  /** Makes the next container that is started unhealthy. */
  breaksNext: boolean;
}

export interface DockerStandIn {
  readonly world: DockerWorld;
  /** The arguments of its calls, oldest first. */
  readonly calls: readonly (readonly string[])[];
  /** With a `docker` on PATH that asks this process. */
  readonly env: NodeJS.ProcessEnv;
  end(): void;
}

class Refused extends Error {}

/**
 * Stands in for `docker`: keeps images, networks, volumes and containers without running anything. A started container is
 * healthy at once.
 *
 * @param folder where its program is
 */
export async function startDockerStandIn(folder: string): Promise<DockerStandIn> {
  const world: DockerWorld = { images: [], networks: {}, volumes: {}, containers: [], breaksNext: false };
  const calls: string[][] = [];
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => {});
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const [count = "", ...args] = text.split("\0").slice(0, -1);
      if (!text.includes("\0") || args.length < Number(count)) return;
      calls.push(args);
      try {
        socket.end(`0\n${answer(world, args)}`);
      } catch (error) {
        socket.end(`1\nError response from daemon: ${error instanceof Error ? error.message : error}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const program = [
    "#!/bin/bash",
    '[ "$2" != cp ] || cat >/dev/null',
    `exec 3<>/dev/tcp/127.0.0.1/${port}`,
    'printf "%s\\0" "$#" "$@" >&3',
    "read -r code <&3",
    'if [ "$code" = 0 ]; then cat <&3; else cat <&3 >&2; fi',
    'exit "$code"',
  ];
  writeFileSync(join(bin, "docker"), `${program.join("\n")}\n`, { mode: 0o755 });
  const env = { ...process.env, PATH: `${bin}:${process.env["PATH"]}`, DOCKER_HOST: "" };
  return { world, calls, env, end: () => server.close() };
}

/** Options by name, each with all its values, and what is left. */
function parsed(list: readonly string[], flags: readonly string[] = []) {
  const options: Record<string, string[]> = {};
  const rest: string[] = [];
  for (let at = 0; at < list.length; at += 1) {
    const word = list[at] ?? "";
    if (!word.startsWith("--")) {
      rest.push(word);
      continue;
    }
    const [name = "", given] = split(word.slice(2));
    if (flags.includes(name)) options[name] = ["true"];
    else {
      if (given === undefined) at += 1;
      options[name] = [...(options[name] ?? []), given ?? list[at] ?? ""];
    }
  }
  return { options, rest };
}

function split(text: string): [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

const pairs = (list: readonly string[] = []) =>
  Object.fromEntries(list.map((each) => split(each)).map(([name, value = ""]) => [name, value]));
const matches = (labels: Readonly<Record<string, string>> = {}, filters: readonly string[] = []) =>
  filters
    .filter((each) => each.startsWith("label="))
    .every((each) => {
      const [name, value] = split(each.slice("label=".length));
      return labels[name] === value;
    });

let ids = 0;

function answer(world: DockerWorld, args: readonly string[]): string {
  const fail = (message: string): never => {
    throw new Refused(message);
  };
  const find = (name = "") =>
    world.containers.find((each) => each.Id === name || each.Name === `/${name}`) ?? fail(`No such container: ${name}`);
  const lines = (list: readonly string[]) => list.map((line) => `${line}\n`).join("");
  const commands: Record<string, () => unknown> = {
    "image ls"() {
      const { options, rest } = parsed(args.slice(2), ["quiet"]);
      const pattern = options["filter"]?.[0]?.replace(/^reference=/, "").replace(/\*$/, "");
      const found = world.images.filter((each) =>
        pattern === undefined ? each === rest[0] : each.startsWith(pattern),
      );
      return lines(found);
    },
    "image rm"() {
      const image = args[2] ?? "";
      if (world.containers.some((each) => each.Config.Image === image)) fail(`conflict: ${image} is in use`);
      world.images = world.images.filter((each) => each !== image);
    },
    build() {
      const { options, rest } = parsed(args.slice(1));
      if (!existsSync(join(rest[0] ?? "", "Dockerfile"))) fail("there is no Dockerfile");
      world.images.push(options["tag"]?.[0] ?? "");
    },
    "network ls"() {
      const { options } = parsed(args.slice(2));
      return lines(Object.keys(world.networks).filter((name) => matches(world.networks[name], options["filter"])));
    },
    "network create"() {
      const { options, rest } = parsed(args.slice(2));
      if (world.networks[rest[0] ?? ""]) fail(`network with name ${rest[0]} already exists`);
      world.networks[rest[0] ?? ""] = pairs(options["label"]);
    },
    "network rm"() {
      if (world.containers.some((each) => each.network === args[2])) fail("network has active endpoints");
      delete world.networks[args[2] ?? ""];
    },
    "volume ls"() {
      const { options } = parsed(args.slice(2), ["quiet"]);
      return lines(Object.keys(world.volumes).filter((name) => matches(world.volumes[name], options["filter"])));
    },
    "volume create"() {
      const { options, rest } = parsed(args.slice(2));
      world.volumes[rest[0] ?? ""] ??= pairs(options["label"]);
    },
    "volume rm"() {
      const name = args.at(-1) ?? "";
      if (world.containers.some((each) => each.volumes.includes(name))) fail(`remove ${name}: volume is in use`);
      delete world.volumes[name];
    },
    "container create"() {
      const { options, rest } = parsed(args.slice(2), ["read-only"]);
      const image = rest[0] ?? "";
      if (!world.images.includes(image)) fail(`No such image: ${image}`);
      const name = options["name"]?.[0] ?? `stand-in-${ids}`;
      if (world.containers.some((each) => each.Name === `/${name}`)) fail(`The name "/${name}" is already in use`);
      const profile = options["security-opt"]?.find((each) => each.startsWith("seccomp="))?.slice(8);
      if (profile !== undefined) JSON.parse(readFileSync(profile, "utf8"));
      ids += 1;
      const [address = "", external, internal] = options["publish"]?.[0]?.split(":") ?? [];
      const Id = ids.toString(16).padStart(64, "0");
      world.containers.push({
        Id,
        Name: `/${name}`,
        State: { Running: false, Restarting: false, ExitCode: 0 },
        Config: { Image: image, Env: options["env"] ?? [], Labels: pairs(options["label"]) },
        HostConfig: {
          PortBindings: external ? { [`${internal}/tcp`]: [{ HostIp: address, HostPort: external }] } : {},
        },
        network: options["network"]?.[0],
        volumes: (options["mount"] ?? []).map((each) => pairs(each.split(","))["src"] ?? ""),
      });
      return lines([Id]);
    },
    "container cp"() {
      find(split(args.at(-1)?.replace(/:.*/, "") ?? "")[0]);
      return undefined;
    },
    "container start"() {
      const container = find(args[2] ?? "");
      const port = (each: Container) => JSON.stringify(each.HostConfig.PortBindings);
      const taken = world.containers.some(
        (each) => each !== container && each.State.Running && port(each) === port(container),
      );
      if (taken) fail("driver failed programming external connectivity: port is already allocated");
      const isBroken = world.breaksNext;
      world.breaksNext = false;
      ids += 1;
      container.State = {
        Running: true,
        Restarting: false,
        ExitCode: 0,
        Health: { Status: isBroken ? "unhealthy" : "healthy" },
      };
      container.startedAt = ids;
    },
    "container stop"() {
      const container = find(args.at(-1) ?? "");
      container.State = { Running: false, Restarting: false, ExitCode: 143 };
    },
    "container rename"() {
      if (world.containers.some((each) => each.Name === `/${args[3]}`))
        fail(`The name "/${args[3]}" is already in use`);
      find(args[2] ?? "").Name = `/${args[3]}`;
    },
    rm() {
      const container = find(args.at(-1) ?? "");
      world.containers = world.containers.filter((each) => each !== container);
    },
    "container ls"() {
      const { options } = parsed(args.slice(2), ["all", "quiet", "no-trunc"]);
      return lines(
        world.containers.filter((each) => matches(each.Config.Labels, options["filter"])).map(({ Id }) => Id),
      );
    },
    "container inspect"() {
      return JSON.stringify(args.slice(2).map(find));
    },
    "container logs"() {
      find(args.at(-1) ?? "");
      return lines(["listens at 4000"]);
    },
  };

  const command = commands[args.slice(0, 2).join(" ")] ?? commands[args[0] ?? ""];
  if (command === undefined) return fail(`the stand-in does not know: docker ${args.join(" ")}`);
  return String(command() ?? "");
}
