import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../../command.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { claimedInstallation, thisInstallation } from "../../stack/installation.ts";
import { perRun } from "../../stack/per-run.ts";
import { sessionsState } from "./state.ts";

/** Shared by the whole stack; created with the first changeling that needs it. */
export const sessionService = perRun(() => new SessionService("sandbox-sessions"));

/**
 * The process that holds the sessions of a stack's sandbox changelings. It is started, supervised, and restarted if its
 * program is newer. `pulumi destroy` stops it and removes its transcripts.
 */
export class SessionService extends pulumi.ComponentResource {
  readonly command: pulumi.Resource;

  constructor(name: string, opts: pulumi.ComponentResourceOptions = {}) {
    super("changelings:sandbox:SessionService", name, {}, opts);
    const state = sessionsState(installationPaths(thisInstallation()));
    const outdated = outdatedInWords(state);
    this.command = scriptCommand(
      name,
      {
        command: "sandbox-sessions",
        environment: { INSTALLATION: claimedInstallation() },
        drift: state.alive ? outdated && `the session service ${outdated}` : "the session service is not running",
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
