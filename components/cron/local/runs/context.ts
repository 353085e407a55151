import type { InstallationPaths } from "../../../host/installation-paths.ts";
import type { Log } from "../../../host/log.ts";
import type { Mngr } from "../../../mngr/client.ts";
import type { AgentPoll } from "./agent-poll.ts";

/** What every run of a scheduler works with. */
export interface RunContext {
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** What programs that are started for a run may see; no secrets. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly poll: AgentPoll;
  /** @param profile the one that puts the agents aside; undefined: the person's own */
  mngr(profile: string | undefined): Mngr;
  /** Asks once, unless it was not the right one. @throws MngrError */
  checkMngrVersion(mngr: Mngr): Promise<void>;
}
