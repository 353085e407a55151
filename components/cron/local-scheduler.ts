import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../command.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { outdatedInWords } from "../host/supervision/state.ts";
import { claimedInstallation } from "../stack/installation.ts";
import { schedulerState } from "./local/state.ts";

export interface LocalSchedulerArgs {
  /** Id of the installation whose jobs it fires; see `installationId`. */
  readonly installation: string;
  /** How many runs may go on at once; undefined: as many as the machine has cores, at least 2. */
  readonly maxRunsAtOnce?: number | undefined;
}

/**
 * The one process that fires all local changelings of a stack: started, supervised, restarted when its program is
 * newer, and on `pulumi destroy` stopped and removed with all that it kept.
 */
export class LocalScheduler extends pulumi.ComponentResource {
  readonly command: pulumi.Resource;

  constructor(name: string, args: LocalSchedulerArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("changelings:cron:LocalScheduler", name, {}, opts);
    const state = schedulerState(installationPaths(args.installation));
    const outdated = outdatedInWords(state);
    this.command = scriptCommand(
      name,
      {
        script: "local-scheduler",
        environment: {
          INSTALLATION: claimedInstallation(),
          MAX_RUNS_AT_ONCE: args.maxRunsAtOnce === undefined ? undefined : String(args.maxRunsAtOnce),
        },
        drift: state.alive ? outdated && `the scheduler ${outdated}` : "the scheduler is not running",
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
