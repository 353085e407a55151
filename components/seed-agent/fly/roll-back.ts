import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "smol-toml";
import { messageOf } from "../../lib/as-error.ts";
import type { DeployOptions } from "../provider.ts";
import { flyctlArguments as flyctl } from "./arguments.ts";
import type { FlyClient } from "./fly-client.ts";
import { notes } from "./fly-toml.ts";
import { type AppStatus, node, noteOf } from "./observe.ts";

/** The deployment that a failed one is rolled back to. */
export interface FormerDeployment {
  readonly image: string;
  readonly toml: string;
}

/** @returns undefined if there is none to go back to */
export async function formerDeployment(
  fly: FlyClient,
  app: string,
  options: DeployOptions,
): Promise<FormerDeployment | undefined> {
  const { all, complete } = await fly.releases(app, options);
  const [good] = complete;
  // After a failed deployment, Fly's configuration is not that of the last good image.
  if (good === undefined || all[0]?.Version !== good.Version) return undefined;
  const folder = join(options.folder, `${app}.former`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    const path = join(folder, "fly.toml");
    await fly.text(flyctl.saveConfig(app, path), options);
    return { image: good.ImageRef, toml: readFileSync(path, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param before the app before the failed deployment @returns in words, what it did */
export async function rollBack(
  fly: FlyClient,
  app: string,
  before: AppStatus | undefined,
  former: FormerDeployment | undefined,
  options: DeployOptions,
): Promise<string> {
  const release = noteOf(before?.Machines ?? [], notes.release);
  if (former === undefined) return "repair the cause, and run `up` again; see: flyctl logs and flyctl checks list";
  try {
    const now = (await fly.statusOf(app, options))?.Machines ?? [];
    if (release !== undefined && noteOf(now, notes.release) === release && now.every((each) => node(each).healthy)) {
      return `the release ${release} still runs`;
    }
    await fly.deploy(app, stringify({ ...parse(former.toml), build: { image: former.image } }), options);
    await fly.awaitHealth(app, before?.Machines.length ?? 0, options);
  } catch (error) {
    return `and it can't be rolled back: ${messageOf(error)}`;
  }
  return `it was rolled back to the release ${release ?? "before"}; secrets that changed stay changed`;
}
