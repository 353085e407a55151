import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { NoSuchThing, runDocker } from "../../docker/run-docker.ts";
import { labels, type Owner, ownerLabels } from "./names.ts";

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Running: z.boolean(),
    Restarting: z.boolean(),
    OOMKilled: z.optional(z.boolean()),
    ExitCode: z.number(),
    Health: z.nullish(z.object({ Status: z.string() })),
  }),
  Config: z.object({
    Image: z.string(),
    Env: z.nullish(z.array(z.string())),
    Labels: z.record(z.string(), z.string()),
  }),
  HostConfig: z.object({
    PortBindings: z.nullish(z.record(z.string(), z.nullish(z.array(z.object({ HostPort: z.string() }))))),
  }),
});
export type Inspected = z.output<typeof inspected>;

/** A container of a seed agent. */
export interface Found {
  readonly id: string;
  readonly name: string;
  readonly index: number;
  readonly image: string;
  readonly release: string | undefined;
  readonly content: string | undefined;
  readonly running: boolean;
  /** undefined if it is healthy. */
  readonly problem: string | undefined;
  readonly isStarting: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

const seconds = { asked: 60, done: 120 };

/** All containers of a seed agent, by two requests. Sorted by node. @throws DockerError */
export async function findContainers(
  owner: Owner,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal | undefined,
): Promise<readonly Found[]> {
  const filters = Object.entries(ownerLabels(owner)).flatMap(([label, value]) => [
    "--filter",
    `label=${label}=${value}`,
  ]);
  const list = ["container", "ls", "--all", "--quiet", "--no-trunc", ...filters];
  const { stdout } = await runDocker(list, { env, signal, timeoutSeconds: seconds.asked });
  const ids = stdout.split("\n").filter(Boolean);
  const found = (await inspect(ids, env, signal)).map(foundOf);
  return found.sort((one, other) => one.index - other.index || (one.name < other.name ? -1 : 1));
}

async function inspect(ids: readonly string[], env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Inspected[]> {
  if (ids.length === 0) return [];
  try {
    const { stdout } = await runDocker(["container", "inspect", ...ids], {
      env,
      signal,
      timeoutSeconds: seconds.asked,
    });
    return z.array(inspected).parse(JSON.parse(stdout));
  } catch (error) {
    if (!(error instanceof NoSuchThing)) throw error;
    // One of them was removed in between.
    return ids.length === 1 ? [] : (await Promise.all(ids.map((id) => inspect([id], env, signal)))).flat();
  }
}

function foundOf(container: Inspected): Found {
  const { Id: id, Name, State, Config, HostConfig } = container;
  const own = Config.Labels;
  const index = Number(own[labels.node]);
  const names = variableNames(own[labels.variables]);
  const variables = (Config.Env ?? []).flatMap((line) => {
    const at = line.indexOf("=");
    return names.has(line.slice(0, at)) ? [[line.slice(0, at), line.slice(at + 1)]] : [];
  });
  const [binding] = Object.values(HostConfig.PortBindings ?? {}).flatMap((bindings) => bindings ?? []);
  return {
    id,
    name: Name.replace(/^\//, ""),
    index,
    image: Config.Image,
    release: own[labels.release],
    content: own[labels.content],
    running: State.Running && !State.Restarting,
    problem: problemOf(State),
    isStarting: State.Running && !State.Restarting && State.Health?.Status === "starting",
    settings: {
      ...Object.fromEntries(variables),
      // The first node's port. The others have the ports after it.
      ...(binding === undefined ? {} : { "published port": String(Number(binding.HostPort) - index) }),
    },
  };
}

function problemOf(state: Inspected["State"]): string | undefined {
  const { Running, Restarting, OOMKilled, ExitCode, Health } = state;
  const memory = OOMKilled === true ? ", out of memory" : "";
  if (Restarting) return `its container crashes repeatedly (exit status ${ExitCode}${memory})`;
  if (!Running) return `its container does not run (exit status ${ExitCode}${memory})`;
  if (Health == null) return "its image has no health check";
  if (Health.Status === "healthy") return undefined;
  return Health.Status === "starting" ? "it is starting" : "it does not answer GET /health with 200";
}

function variableNames(text: string | undefined): ReadonlySet<string> {
  try {
    return new Set(z.array(z.string()).parse(JSON.parse(text ?? "[]")));
  } catch {
    return new Set();
  }
}

export interface HealthOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly healthSeconds: number;
  readonly pollMilliseconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Waits until a container is healthy. @returns in words why it is not; undefined if it is */
export async function awaitHealth(owner: Owner, name: string, options: HealthOptions): Promise<string | undefined> {
  const { env, healthSeconds, pollMilliseconds, signal } = options;
  const deadline = Date.now() + healthSeconds * 1000;
  for (;;) {
    const found = (await findContainers(owner, env, signal)).find((each) => each.name === name);
    if (found === undefined) return "its container was removed";
    if (found.problem === undefined) return undefined;
    // Docker restarts a crashed container, so a crash is not the end.
    if (Date.now() >= deadline) return `${found.problem}, after ${healthSeconds} s`;
    await sleep(pollMilliseconds, undefined, signal === undefined ? {} : { signal });
  }
}
