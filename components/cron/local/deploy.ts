import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { stockChangeling } from "../../../changelings/stock.ts";
import { scriptCommand } from "../../command.ts";

import { withAlias } from "../../component.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { installedUnder } from "../../host/installed-file.ts";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { localSecrets } from "../../secrets/local.ts";
import { claimedInstallation, statedEnvironment, thisInstallation } from "../../stack/installation.ts";
import { perRun } from "../../stack/per-run.ts";
import type { DeclaredCron } from "../declared.ts";
import { environmentOfJob, jobEnvironment, statedJob } from "../job-environment.ts";
import { jobDrift, jobPath } from "./installed-files.ts";
import { schedulerState } from "./state.ts";

export interface LocalCronArgs {
  readonly declared: DeclaredCron;
  readonly mngrProfile: string | undefined;
  readonly maxRunsAtOnce: number | undefined;
  /** By variable name. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A cron changeling on this machine: its secrets, and the job that the stack's scheduler fires. */
export function localCron(parent: pulumi.Resource, args: LocalCronArgs): pulumi.Resource {
  const { name, renamedFrom, agentType } = args.declared;
  const installation = thisInstallation();
  const paths = installationPaths(installation);
  const secrets = localSecrets(parent, { name, renamedFrom, installation, secretValues: args.secretValues });
  const context = {
    installation,
    mngrProfile: args.mngrProfile,
    stock: stockChangeling(agentType),
    anchors: { project: process.cwd(), home: homedir() },
  };
  const environment = environmentOfJob(args.declared, context);
  const installedName = installedUnder((each) => jobPath(paths, each), { name, renamedFrom });
  const stated = statedEnvironment(`${installedName}-job`);
  const drift = jobDrift(paths, installedName, (installed) =>
    statedJob(stated, { declared: environment, installed, context }),
  );
  const opts = { parent, dependsOn: [localScheduler(args.maxRunsAtOnce), ...secrets] };
  return scriptCommand(
    `${name}-job`,
    {
      command: "local-job",
      environment: { ...environment, ...jobEnvironment.named({ installation: claimedInstallation() }) },
      drift,
    },
    withAlias(opts, renamedFrom && `${renamedFrom}-job`),
  );
}

/** Shared by the whole stack; created with the first changeling that needs it. */
const localScheduler = perRun(
  (maxRunsAtOnce: number | undefined) =>
    new LocalScheduler("scheduler", { installation: thisInstallation(), maxRunsAtOnce }),
);

export interface LocalSchedulerArgs {
  /** Id of the installation whose jobs it fires; see `installationId`. */
  readonly installation: string;
  /** The maximum number of concurrent runs; undefined: the number of CPU cores, at least 2. */
  readonly maxRunsAtOnce?: number | undefined;
}

/**
 * The process that fires all local changelings of a stack. It is started, supervised, and restarted if its program is
 * newer. `pulumi destroy` stops it and removes everything it stored.
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
        command: "local-scheduler",
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
