import { settleAll } from "../lib/settle-all.ts";
import type { Deployment, Stack } from "../stack/deployment.ts";
import type { DeclaredWeb } from "./declared.ts";
import type { ForwardingSettings } from "./forwarding/declared.ts";
import { ForwardingServer } from "./forwarding/forwarding-server.ts";
import { pageUrl } from "./forwarding/urls.ts";
import { localWebs } from "./local/observe.ts";
import { WebChangeling } from "./web-changeling.ts";

export const webDeployment: Deployment<DeclaredWeb, ForwardingSettings> = {
  async observe(changelings, stack, { forwarding }) {
    const on = (where: DeclaredWeb["provider"]) => changelings.filter(({ provider }) => provider === where);
    const [local, docker, modal] = await settleAll([
      localWebs(on("local"), { mngrProfile: stack.mngrProfile, secretValues: stack.secretsOf }),
      on("docker").length === 0 ? undefined : observeDocker(on("docker"), stack),
      on("modal").length === 0 ? undefined : observeModal(on("modal"), stack),
    ]);
    const { installation } = local;
    if (forwarding.provider === "docker") await observeForwarding(installation);
    return () => {
      // Started first, so that it is notified of each new agent. Agents run even if its port is taken.
      new ForwardingServer("forwarding", { ...forwarding, installation });
      return Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, enabled } = declared;
          const secretValues = stack.secretsOf(declared);
          const { agentId, servers } = new WebChangeling(name, { declared, local, docker, modal, secretValues });
          const url = agentId.apply((id) => id && pageUrl(forwarding, id));
          return [name, { kind, provider, enabled, url, servers }] as const;
        }),
      );
    };
  },
};

/** Fails early, before any change, if Docker is not reachable. */
async function observeForwarding(installation: string) {
  const { lookInDocker } = await import("./forwarding/docker/resources.ts");
  lookInDocker(installation);
}

async function observeDocker(changelings: readonly DeclaredWeb[], stack: Stack) {
  const { dockerWebs } = await import("./docker/observe.ts");
  return dockerWebs(changelings, { mngrProfile: stack.mngrProfile, secretValues: stack.secretsOf });
}

async function observeModal(changelings: readonly DeclaredWeb[], stack: Stack) {
  const { modalWebs } = await import("./modal/observe.ts");
  return modalWebs(changelings, { modal: stack.modal, secretValues: stack.secretsOf });
}
