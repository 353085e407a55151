import { type Mngr, mngrClient } from "./client.ts";
import { mngrEnvironment } from "./environment.ts";
import { profileHostDir } from "./profile.ts";

/** mngr on this machine. @param profile the one that puts its agents aside; undefined: the person's own */
export function profileMngr(profile: string | undefined, env: NodeJS.ProcessEnv): Mngr {
  return mngrClient(mngrEnvironment(env, profileHostDir(profile, env)));
}
