import { installationPaths } from "../host/installation-paths.ts";
import type { Deployment } from "../stack/deployment.ts";
import { confirmedInstallation } from "../stack/installation.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { SandboxChangeling } from "./sandbox-changeling.ts";
import { workerDrift } from "./sessions/cloudflare/observe.ts";
import type { SandboxesSettings } from "./sessions/cloudflare/options.ts";
import { sessionService } from "./sessions/session-service.ts";

export const sandboxDeployment: Deployment<DeclaredSandbox, SandboxesSettings> = {
  async observe(changelings, stack, { cloudflare }) {
    const worker = cloudflare && {
      ...cloudflare,
      drift: await workerDrift(installationPaths(await confirmedInstallation())),
    };
    return () => {
      sessionService(worker);
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
