import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../../command.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { claimedInstallation, thisInstallation } from "../../stack/installation.ts";
import { perRun } from "../../stack/per-run.ts";
import type { PageSettings } from "../page/settings.ts";
import { buildId, defaultWorkerName } from "./cloudflare/wrangler-config.ts";
import type { DeclaredWorker } from "./options.ts";
import { sessionsState } from "./state.ts";

/** One per stack, created with the first changeling that needs it. */
export const sessionService = perRun((args?: SessionServiceArgs) => new SessionService("sandbox-sessions", args));

/** The declared worker, and how the one on Cloudflare differs from what was deployed. */
export interface ObservedWorker extends DeclaredWorker {
  readonly drift: string | undefined;
}

export interface SessionServiceArgs {
  /** The worker on Cloudflare that has the sessions. By default they are on this machine. */
  readonly cloudflare?: ObservedWorker | undefined;
  readonly page?: PageSettings | undefined;
}

/**
 * The service with the sessions of a stack's sandbox changelings: a supervised process on this machine, and optionally a
 * worker on Cloudflare. The process is restarted if its program is newer. `pulumi destroy` stops it and removes its
 * transcripts; it removes those on Cloudflare only with `destroy_data`.
 */
export class SessionService extends pulumi.ComponentResource {
  readonly command: pulumi.Resource;

  constructor(
    name: string,
    { cloudflare, page = {} }: SessionServiceArgs = {},
    opts: pulumi.ComponentResourceOptions = {},
  ) {
    super("changelings:sandbox:SessionService", name, {}, opts);
    const state = sessionsState(installationPaths(thisInstallation()));
    const outdated = outdatedInWords(state);
    const worker = cloudflare === undefined ? undefined : this.#worker(name, cloudflare);
    this.command = scriptCommand(
      name,
      {
        command: "sandbox-sessions",
        environment: {
          ...{ INSTALLATION: claimedInstallation(), WORKER: worker?.name },
          ...{ PORT: page.port === undefined ? undefined : String(page.port), PUBLIC_URL: page.publicUrl },
        },
        drift: state.alive ? outdated && `the session service ${outdated}` : "the session service is not running",
      },
      { parent: this, dependsOn: worker === undefined ? [] : [worker.command] },
    );
    this.registerOutputs();
  }

  #worker(name: string, { accountId, worker, destroyData, drift }: ObservedWorker) {
    const nameOf = (installation: string) => worker ?? defaultWorkerName(installation);
    const installation = claimedInstallation();
    const command = scriptCommand(
      `${name}-worker`,
      {
        command: "sandbox-sessions-worker",
        environment: {
          ...{ INSTALLATION: installation, ACCOUNT_ID: accountId, WORKER: installation.then(nameOf) },
          BUILD: installation.then((id) => buildId({ accountId, worker: nameOf(id), installation: id })),
          DESTROY_DATA: String(destroyData),
        },
        drift,
      },
      { parent: this },
    );
    return { command, name: installation.then(nameOf) };
  }
}
