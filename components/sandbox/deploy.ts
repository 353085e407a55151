import * as pulumi from "@pulumi/pulumi";
import { installationPaths } from "../host/installation-paths.ts";
import type { Deployment } from "../stack/deployment.ts";
import { confirmedInstallation } from "../stack/installation.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { SandboxChangeling } from "./sandbox-changeling.ts";
import { missingToken } from "./sessions/cloudflare/environment.ts";
import { workerDrift } from "./sessions/cloudflare/observe.ts";
import type { DeclaredWorker, SandboxesSettings } from "./sessions/options.ts";
import { type ObservedWorker, sessionService } from "./sessions/session-service.ts";

export const sandboxDeployment: Deployment<DeclaredSandbox, SandboxesSettings> = {
  async observe(changelings, stack, { cloudflare, page }) {
    const worker = cloudflare && (await observedWorker(cloudflare));
    return () => {
      sessionService({ cloudflare: worker, page });
      return Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, enabled, spec } = declared;
          const secretValues = stack.secretsOf(declared);
          const modalToken = provider === "modal" ? stack.modal?.tokenVariables : undefined;
          const { memory } = new SandboxChangeling(name, { declared, secretValues, modalToken });
          return [name, { kind, provider, enabled, runtime: spec.runtime, memory }] as const;
        }),
      );
    };
  },
};

/** @throws pulumi.RunError in an update that has to deploy the worker, without the token for it; a preview warns */
async function observedWorker(declared: DeclaredWorker): Promise<ObservedWorker> {
  const drift = await workerDrift(installationPaths(await confirmedInstallation()));
  const missing = drift === undefined ? undefined : missingToken(process.env);
  if (missing !== undefined) {
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(missing);
    await pulumi.log.warn(missing);
  }
  return { ...declared, drift };
}
