import { homedir } from "node:os";
import type * as pulumi from "@pulumi/pulumi";
import { stockChangeling } from "../../../changelings/stock.ts";
import { withAlias } from "../../alias.ts";
import { scriptCommand } from "../../command.ts";
import type { DeclaredCron } from "../../fleet/index.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { installedUnder } from "../../host/installed-file.ts";
import { localSecrets } from "../../secrets/local.ts";
import { claimedInstallation, statedEnvironment, thisInstallation } from "../../stack/installation.ts";
import { perRun } from "../../stack/per-run.ts";
import { environmentOfJob, statedJob } from "../job-environment.ts";
import { LocalScheduler } from "../local-scheduler.ts";
import { jobDrift, jobPath } from "./installed-files.ts";

export interface LocalCronArgs {
  readonly declared: DeclaredCron;
  readonly mngrProfile: string | undefined;
  readonly maxRunsAtOnce: number | undefined;
  /** By the name of their variable. */
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
      script: "local-job",
      environment: { ...environment, INSTALLATION: claimedInstallation() },
      drift,
    },
    withAlias(opts, renamedFrom && `${renamedFrom}-job`),
  );
}

/** One for the whole stack, made with the first changeling that needs it. */
const localScheduler = perRun(
  (maxRunsAtOnce: number | undefined) =>
    new LocalScheduler("scheduler", { installation: thisInstallation(), maxRunsAtOnce }),
);
