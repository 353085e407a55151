import { existsSync, lstatSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { writeWholeFile } from "../host/files.ts";
import { allowedEnvironment } from "../lib/environment.ts";

import { type Mngr, mngrClient } from "./client.ts";
import { mngrHostDir } from "./host-dir.ts";
import { noProjectFolder } from "./project-folder.ts";

/**
 * mngr's host dir for agents that a profile puts aside, made when it is not there yet. mngr has no option for a
 * profile, its host dir's config names one: so this is a host dir of its own, `~/.mngr-<profile>`, with agents of its
 * own, that shares the person's profiles, settings and identities included.
 *
 * @param profile undefined: none puts them aside
 * @returns undefined: the person's own
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

/** Where that is, whether it is there or not. */
export function hostDirOf(profile: string | undefined, env: NodeJS.ProcessEnv): string {
  const own = mngrHostDir(env);
  return profile === undefined ? own : `${own}-${profile}`;
}

/** mngr on this machine. @param profile the one that puts its agents aside; undefined: the person's own */
export function profileMngr(profile: string | undefined, env: NodeJS.ProcessEnv): Mngr {
  return mngrClient(mngrEnvironment(env, profileHostDir(profile, env)));
}

/** @param hostDir mngr's host dir, when the agents are put aside from the person's own */
export function mngrEnvironment(env: NodeJS.ProcessEnv, hostDir?: string): Record<string, string> {
  return {
    // Whatever folder it is started in.
    MNGR_PROJECT_CONFIG_DIR: noProjectFolder,
    ...allowedEnvironment(env),
    MNGR_HEADLESS: "1",
    ...(hostDir === undefined ? {} : { MNGR_HOST_DIR: hostDir }),
  };
}
