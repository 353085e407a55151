import type { InstallationPaths } from "../../../host/installation-paths.ts";
import type { Log } from "../../../host/log.ts";
import type { Mngr } from "../../../mngr/client.ts";
import type { AgentPoll } from "./agent-poll.ts";

/** What every run of a scheduler shares. */
export interface RunContext {
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** The environment of programs started for a run; contains no secrets. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly poll: AgentPoll;
  /** @param profile the profile that separates the agents; undefined: the user's own */
  mngr(profile: string | undefined): Mngr;
  /** Checks once, and again only if the version was wrong. @throws MngrError */
  checkMngrVersion(mngr: Mngr): Promise<void>;
}
