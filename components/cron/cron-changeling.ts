import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { stockChangeling } from "../../changelings/stock.ts";
import { scriptCommand } from "../command.ts";
import { drifted } from "../drift.ts";
import { type Changeling, type ChangelingOptions, ChangelingOptionsError, changelingOf } from "../fleet/index.ts";
import { currentBackend, installationId } from "../installation.ts";
import { environmentOfJob } from "./job-environment.ts";
import { jobDrift, secretsDrift } from "./local/installed-files.ts";
import { type InstallationPaths, installationPaths } from "./local/paths.ts";
import { LocalScheduler } from "./local-scheduler.ts";

/** What is declared of a cron changeling. What is left out has the default of the fleet file (changelings/REFERENCE.md). */
export interface CronChangelingArgs extends ChangelingOptions {
  /** Values of the secrets that the agent gets, by the name of their variable; a secret without a value is not set. */
  readonly secretValues?: Readonly<Record<string, pulumi.Input<string>>>;
  /** mngr profile that puts the agent aside from the person's own. */
  readonly mngrProfile?: string | undefined;
}

/**
 * A scheduled changeling: when its schedule comes due, a fresh mngr agent works on a new branch of a repository, and
 * ends (spec 000).
 *
 * @example
 * new CronChangeling("fixme-fairy", { repo: "/home/me/src/app", schedule: "0 6 * * 1-5", timezone: "Europe/Berlin" });
 *
 * @throws pulumi.InputPropertiesError with every fault of its args at once
 */
export class CronChangeling extends pulumi.ComponentResource {
  /** What was declared, with all defaults. */
  readonly declared: Changeling;

  constructor(name: string, args: CronChangelingArgs, opts: pulumi.ComponentResourceOptions = {}) {
    const former = args.renamedFrom;
    super("changelings:cron:CronChangeling", name, {}, withAlias(opts, former));
    const { secretValues = {}, mngrProfile, ...options } = args;
    this.declared = checked(name, options);
    const installation = thisInstallation();
    const paths = installationPaths(installation);
    const job = this.createJob(installation, paths, mngrProfile, this.createSecrets(installation, paths, secretValues));
    this.registerOutputs({ job: job.urn });
  }

  /** Its own resource, so that a rotated secret touches nothing else. */
  private createSecrets(
    installation: string,
    paths: InstallationPaths,
    values: Readonly<Record<string, pulumi.Input<string>>>,
  ): pulumi.Resource[] {
    const names = Object.keys(values).sort();
    if (names.length === 0) return [];
    const { name, renamedFrom } = this.declared;
    const opts = withAlias({ parent: this }, renamedFrom && `${renamedFrom}-secrets`);
    const environment = {
      NAME: name,
      INSTALLATION: installation,
      SECRETS: names.join(", "),
      RENAMED_FROM: renamedFrom,
    };
    const drift = drifted(secretsDrift(paths, name));
    const secretEnvironment = { VALUES: pulumi.jsonStringify(values) };
    return [scriptCommand(`${name}-secrets`, { script: "local-secrets", environment, secretEnvironment, drift }, opts)];
  }

  private createJob(
    installation: string,
    paths: InstallationPaths,
    mngrProfile: string | undefined,
    secrets: pulumi.Resource[],
  ): pulumi.Resource {
    const { name, renamedFrom, agentType } = this.declared;
    const environment = environmentOfJob(this.declared, {
      installation,
      mngrProfile,
      stock: stockChangeling(agentType),
      anchors: { project: process.cwd(), home: homedir() },
    });
    const opts = { parent: this, dependsOn: [localScheduler(installation), ...secrets] };
    return scriptCommand(
      `${name}-job`,
      { script: "local-job", environment: { ...environment }, drift: drifted(jobDrift(paths, name)) },
      withAlias(opts, renamedFrom && `${renamedFrom}-job`),
    );
  }
}

function checked(name: string, options: ChangelingOptions): Changeling {
  try {
    return changelingOf(name, options);
  } catch (error) {
    if (!(error instanceof ChangelingOptionsError)) throw error;
    const errors = error.faults.map(({ option, reason }) => ({ propertyPath: option, reason }));
    throw new pulumi.InputPropertiesError({ message: `The changeling "${name}" is not valid.`, errors });
  }
}

/** The engine then sees one thing under a new name: the old one is removed and the new one made in one update. */
function withAlias<Options extends pulumi.ResourceOptions>(opts: Options, former: string | undefined): Options {
  return former === undefined ? opts : { ...opts, aliases: [...(opts.aliases ?? []), { name: former }] };
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
