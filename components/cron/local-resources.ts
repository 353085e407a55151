import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { stockChangeling } from "../../changelings/stock.ts";
import { withAlias } from "../alias.ts";
import { scriptCommand } from "../command.ts";
import { drifted } from "../drift.ts";
import type { Changeling } from "../fleet/index.ts";
import { currentBackend, installationId } from "../installation.ts";
import { installationPaths } from "../installation-paths.ts";
import { secretsDrift } from "../installed-secrets.ts";
import { environmentOfJob } from "./job-environment.ts";
import { jobDrift } from "./local/installed-files.ts";
import { LocalScheduler } from "./local-scheduler.ts";

export interface LocalCronArgs {
  readonly declared: Changeling;
  readonly mngrProfile: string | undefined;
  /** By the name of their variable. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** A cron changeling on this machine: its secrets, and the job that the stack's scheduler fires. */
export function localCron(parent: pulumi.Resource, args: LocalCronArgs): pulumi.Resource {
  const { name, renamedFrom, agentType } = args.declared;
  const installation = thisInstallation();
  const paths = installationPaths(installation);
  const secrets = localSecrets(parent, installation, args);
  const environment = environmentOfJob(args.declared, {
    installation,
    mngrProfile: args.mngrProfile,
    stock: stockChangeling(agentType),
    anchors: { project: process.cwd(), home: homedir() },
  });
  const opts = { parent, dependsOn: [localScheduler(installation), ...secrets] };
  return scriptCommand(
    `${name}-job`,
    { script: "local-job", environment: { ...environment }, drift: drifted(jobDrift(paths, name)) },
    withAlias(opts, renamedFrom && `${renamedFrom}-job`),
  );
}

/** Their own resource, so that a rotated secret touches nothing else. */
function localSecrets(
  parent: pulumi.Resource,
  installation: string,
  { declared: { name, renamedFrom }, secretValues }: LocalCronArgs,
): pulumi.Resource[] {
  const names = Object.keys(secretValues).sort();
  if (names.length === 0) return [];
  const environment = {
    NAME: name,
    INSTALLATION: installation,
    SECRETS: names.join(", "),
    RENAMED_FROM: renamedFrom,
  };
  const drift = drifted(secretsDrift(installationPaths(installation), name));
  const secretEnvironment = { VALUES: pulumi.jsonStringify(secretValues) };
  const opts = withAlias({ parent }, renamedFrom && `${renamedFrom}-secrets`);
  return [scriptCommand(`${name}-secrets`, { script: "local-secrets", environment, secretEnvironment, drift }, opts)];
}

function thisInstallation(): string {
  return installationId({ backend: currentBackend(), project: pulumi.getProject(), stack: pulumi.getStack() });
}

let scheduler: LocalScheduler | undefined;

/** One for the whole stack, made with the first changeling that needs it. */
function localScheduler(installation: string): LocalScheduler {
  scheduler ??= new LocalScheduler("scheduler", { installation });
  return scheduler;
}
