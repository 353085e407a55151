import type * as pulumi from "@pulumi/pulumi";
import { secretNames } from "../fleet/secrets.ts";
import { settleAll } from "../lib/settle-all.ts";
import { declaredFleet, keptSecrets, modalTokenOfStack, secretValues } from "./declared-fleet.ts";
import type { DeployableKind, DeployedOutputs, Stack } from "./deployment.ts";
import { confirmedInstallation } from "./installation.ts";

/** A stack with a valid fleet, and with all its secrets set. */
export interface OpenStack {
  /** Observes the live state once. */
  observe(): Promise<{
    /** Declares the resources of all changelings. */
    deploy(): DeployedOutputs;
  }>;
}

/**
 * Opens the stack of this program run: its settings, its fleet file and its secrets.
 *
 * @throws pulumi.RunError with every error at once, before any change
 */
export async function openStack(
  config: pulumi.Config,
  kinds: Readonly<Record<string, DeployableKind>>,
): Promise<OpenStack> {
  const [fleet] = await settleAll([
    declaredFleet(config, kinds),
    // Identifies the stack, also after a rename. A copied stack is rejected before any change.
    confirmedInstallation(),
    // Load the components of the default kind while git answers for the fleet's repositories.
    Object.values(kinds)[0]?.deployment(),
  ]);
  const { mngrProfile, changelings, settings } = fleet;
  const usesModal = changelings.some(({ provider }) => provider === "modal");
  const [values, modal] = await settleAll([
    secretValues(fleet, config),
    usesModal ? openModal(mngrProfile, config) : undefined,
  ]);
  const stack: Stack = {
    mngrProfile,
    modal,
    secretsOf(changeling) {
      const all = { ...keptSecrets(fleet, changeling, values), ...values };
      return Object.fromEntries(
        secretNames(changeling).flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
      );
    },
  };
  return {
    async observe() {
      const declare = await settleAll(
        Object.entries(kinds).map(async ([name, kind]) => {
          const own = changelings.filter((changeling) => changeling.kind === name);
          if (own.length === 0) return () => ({});
          return (await kind.deployment()).observe(own, stack, settings[name] ?? {});
        }),
      );
      return { deploy: () => Object.assign({}, ...declare.map((each) => each())) };
    },
  };
}

/** Modal's modules are loaded only if the fleet uses them. */
async function openModal(mngrProfile: string | undefined, config: pulumi.Config) {
  const { modalStack } = await import("./modal.ts");
  return modalStack({ mngrProfile, stackToken: await modalTokenOfStack(config) });
}
