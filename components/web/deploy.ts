import { settleAll } from "../lib/settle-all.ts";
import type { Deployment } from "../stack/deployment.ts";
import { confirmedInstallation } from "../stack/installation.ts";
import type { DeclaredWeb } from "./declared.ts";
import type { ForwardingSettings } from "./forwarding/declared.ts";
import { ForwardingServer } from "./forwarding/forwarding-server.ts";
import { pageUrl } from "./forwarding/urls.ts";
import { type Provider, webProviders } from "./options.ts";
import { providers } from "./providers.ts";
import { type ResolvedWebArgs, WebChangeling } from "./web-changeling.ts";

export const webDeployment: Deployment<DeclaredWeb, ForwardingSettings> = {
  async observe(changelings, stack, { forwarding }) {
    const [installation, ...places] = await settleAll([
      confirmedInstallation(),
      ...webProviders.map(async (provider) => {
        const own = changelings.filter((each) => each.provider === provider);
        return own.length === 0 ? {} : { [provider]: await providers[provider].observe(own, stack) };
      }),
    ]);
    const observed: Pick<ResolvedWebArgs, Provider> = Object.assign({}, ...places);
    if (forwarding.provider === "docker") await observeForwarding(installation);
    return () => {
      // Started first, so that it is notified of each new agent. Agents run even if its port is taken.
      new ForwardingServer("forwarding", { ...forwarding, installation });
      return Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, enabled } = declared;
          const secretValues = stack.secretsOf(declared);
          const { agentId, servers } = new WebChangeling(name, { declared, ...observed, secretValues });
          const url = agentId.apply((id) => id && pageUrl(forwarding, id));
          return [name, { kind, provider, enabled, url, servers }] as const;
        }),
      );
    };
  },
};

/** Fails early, before any change, if Docker is not reachable. */
async function observeForwarding(installation: string) {
  const { observeDocker } = await import("./forwarding/docker/resources.ts");
  observeDocker(installation);
}
