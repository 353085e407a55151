import { existsSync, lstatSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { writeWholeFile } from "../host/files.ts";
import { allowedEnvironment } from "../lib/environment.ts";
import { type Mngr, mngrClient } from "./client.ts";
import { mngrHostDir } from "./host-dir.ts";
import { noProjectFolder } from "./project-folder.ts";

/**
 * mngr's host dir for the agents of a separate profile, created if necessary. mngr has no option for a profile: the
 * host dir's config names it. So this is a separate host dir, `~/.mngr-<profile>`, with its own agents. It shares the
 * user's profiles, including settings and identities.
 *
 * @param profile undefined: the agents are not kept separately
 * @returns undefined for the user's own host dir
 */
export function profileHostDir(profile: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (profile === undefined) return undefined;
  const own = hostDirOf(undefined, env);
  const aside = hostDirOf(profile, env);
  for (const folder of [join(own, "profiles"), aside]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const config = join(aside, "config.toml");
  if (!existsSync(config)) writeWholeFile(config, `profile = ${JSON.stringify(profile)}\n`, { mode: 0o600 });
  const profiles = join(aside, "profiles");
  if (lstatSync(profiles, { throwIfNoEntry: false }) === undefined) symlinkSync(join(own, "profiles"), profiles);
  return aside;
}

/** The path of that host dir, whether it exists or not. */
export function hostDirOf(profile: string | undefined, env: NodeJS.ProcessEnv): string {
  const own = mngrHostDir(env);
  return profile === undefined ? own : `${own}-${profile}`;
}

/** mngr on this machine. @param profile the separate profile; undefined for the user's own */
export function profileMngr(profile: string | undefined, env: NodeJS.ProcessEnv): Mngr {
  return mngrClient(mngrEnvironment(env, profileHostDir(profile, env)));
}

/** @param hostDir mngr's host dir, if the agents are kept apart from the user's own */
export function mngrEnvironment(env: NodeJS.ProcessEnv, hostDir?: string): Record<string, string> {
  return {
    // Independent of the working directory.
    MNGR_PROJECT_CONFIG_DIR: noProjectFolder,
    ...allowedEnvironment(env),
    MNGR_HEADLESS: "1",
    ...(hostDir === undefined ? {} : { MNGR_HOST_DIR: hostDir }),
  };
}
