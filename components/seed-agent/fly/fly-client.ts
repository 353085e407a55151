import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod/mini";
import { type DeployOptions, type ObserveOptions, SeedAgentError } from "../provider.ts";
import type { CliOptions } from "../provider-cli.ts";
import { flyctlArguments as flyctl } from "./arguments.ts";
import { type AppStatus, appList, appStatus, node, releaseList } from "./observe.ts";
import { flyctlCli } from "./run-flyctl.ts";

export interface FlyClientOptions {
  /** Contains FLY_API_TOKEN, unless the user logged in by `flyctl auth login`. */
  readonly env: NodeJS.ProcessEnv;
  /** How long machines may take to become healthy after a deployment, and how often they are checked. */
  readonly health?: { readonly timeoutSeconds: number; readonly everySeconds: number } | undefined;
}

const seconds = { asked: 120, done: 600, deployed: 3600 };

type Signal = Pick<ObserveOptions, "signal">;

/** Queries and deployments of apps, by flyctl. All methods throw SeedAgentError with the remedy. */
export class FlyClient {
  readonly #env: NodeJS.ProcessEnv;
  readonly #health: NonNullable<FlyClientOptions["health"]>;

  constructor({ env, health = { timeoutSeconds: 600, everySeconds: 5 } }: FlyClientOptions) {
    this.#env = env;
    this.#health = health;
  }

  /** Runs a flyctl that changes something. */
  async run(args: readonly string[], options: Omit<CliOptions, "env" | "timeoutSeconds">): Promise<void> {
    await flyctlCli.run(args, { ...options, env: this.#env, timeoutSeconds: seconds.done });
  }

  /** @returns what flyctl prints, as text */
  text(args: readonly string[], { signal }: Signal): Promise<string> {
    return flyctlCli.run(args, { env: this.#env, signal, timeoutSeconds: seconds.asked });
  }

  async ask<Type>(args: readonly string[], schema: z.ZodMiniType<Type>, options: Signal): Promise<Type> {
    return parsed(args, await this.text(args, options), schema);
  }

  /** @returns undefined if the user can see no such app */
  async statusOf(app: string, options: Signal): Promise<AppStatus | undefined> {
    const args = flyctl.status(app);
    const run: CliOptions = { env: this.#env, signal: options.signal, timeoutSeconds: seconds.asked };
    const ended = await flyctlCli.try(args, run);
    if (ended.code === 0) return parsed(args, ended.stdout, appStatus);
    const error = flyctlCli.errorOf(args, ended, run);
    if (!/not find app|app .*not found/i.test(error.message)) throw error;
    // flyctl's words may change. The list is certain.
    if ((await this.ask(flyctl.apps(), appList, options)).includes(app)) throw error;
    return undefined;
  }

  /** All releases, and those whose deployment was complete. Newest first. */
  async releases(app: string, options: Signal) {
    const all = await this.ask(flyctl.releases(app), releaseList, options);
    return { all, complete: all.filter(({ Status, ImageRef }) => /^complete/i.test(Status) && ImageRef !== "") };
  }

  /**
   * Deploys from a folder that exists only meanwhile.
   * @param writeContext writes the build context into the folder, if the image has to be built
   */
  async deploy(
    app: string,
    toml: string,
    options: DeployOptions,
    writeContext?: (folder: string) => Promise<void>,
  ): Promise<void> {
    const { signal, onProgress, secrets } = options;
    const folder = join(options.folder, `${app}.fly`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      await writeContext?.(folder);
      writeFileSync(join(folder, "fly.toml"), toml);
      const run = { env: this.#env, signal, onProgress, secrets: Object.values(secrets) };
      await flyctlCli.run(flyctl.deploy(app, folder), { ...run, timeoutSeconds: seconds.deployed });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** @throws SeedAgentError if not all machines become healthy in time */
  async awaitHealth(app: string, replicas: number, options: Signal): Promise<void> {
    const deadline = Date.now() + this.#health.timeoutSeconds * 1000;
    for (;;) {
      const nodes = ((await this.statusOf(app, options))?.Machines ?? []).map(node);
      const sick = nodes.filter(({ healthy }) => !healthy);
      if (nodes.length === replicas && sick.length === 0) return;
      if (Date.now() >= deadline) {
        const why = sick.map(({ id, problem }) => `${id}: ${problem}`).join("; ");
        throw new SeedAgentError(
          `${app} does not become healthy: ${why || `${nodes.length} of ${replicas} machines run`}`,
        );
      }
      await pause(this.#health.everySeconds * 1000, undefined, { signal: options.signal });
    }
  }
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
