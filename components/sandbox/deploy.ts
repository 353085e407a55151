import type { Deployment } from "../stack/deployment.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { SandboxChangeling } from "./sandbox-changeling.ts";

export const sandboxDeployment: Deployment<DeclaredSandbox> = {
  async observe(changelings, stack) {
    return () =>
      Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, enabled, spec } = declared;
          const secretValues = stack.secretsOf(declared);
          const modalToken = provider === "modal" ? stack.modal?.tokenVariables : undefined;
          const { memory } = new SandboxChangeling(name, { declared, secretValues, modalToken });
          return [name, { kind, provider, enabled, runtime: spec.runtime, memory }] as const;
        }),
      );
  },
};
