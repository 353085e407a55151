/** The fleet: one file in, one component per changeling out. */
import * as pulumi from "@pulumi/pulumi";
import { type Changeling, scheduleInWords, secretNames } from "./components/fleet/index.ts";
import { allTold } from "./components/lib/settle-all.ts";
import { declaredFleet, keptSecrets, modalTokenOfStack, secretValues } from "./components/stack/declared-fleet.ts";
import { confirmedInstallation } from "./components/stack/installation.ts";

// The SDK takes a stack trace per promise and per resource: half of a large preview's time. Errors of ours need none.
if (!process.env["CHANGELINGS_DEBUG"]) {
  Object.assign(Error, { stackTraceLimit: 0, prepareStackTrace: undefined });
}

const config = new pulumi.Config();
// The components load while git answers for the fleet's repositories.
const [fleet, { CronChangeling }] = await allTold([
  declaredFleet(config),
  import("./components/cron/cron-changeling.ts"),
  // Which stack it is, also after a rename: a copy is refused before anything is touched.
  confirmedInstallation(),
]);
const usesModal = fleet.changelings.some(({ provider }) => provider === "modal");
const [values, stackOnModal] = await allTold([secretValues(fleet, config), usesModal ? lookAtModal() : undefined]);
const secretsOf = (changeling: Changeling) => {
  const all = { ...keptSecrets(fleet, changeling, values), ...values };
  // In the order in which they are declared, whichever of the two they are from.
  return Object.fromEntries(
    secretNames(changeling).flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])),
  );
};
const crons = fleet.changelings.filter((changeling) => changeling.kind === "cron");
const webs = fleet.changelings.filter((changeling) => changeling.kind === "web");
const onModal = crons.filter(({ provider }) => provider === "modal");
// Each looks at what is live, which takes seconds.
const [modal, declareWebs] = await allTold([
  onModal.length === 0 ? undefined : placeOnModal(),
  webs.length === 0 ? () => [] : lookAtWebs(),
]);

for (const changeling of crons) {
  new CronChangeling(changeling.name, {
    ...changeling,
    mngrProfile: fleet.mngrProfile,
    maxRunsAtOnce: fleet.maxRunsAtOnce,
    modal,
    secretValues: secretsOf(changeling),
  });
}
const pages = declareWebs();

/** Per changeling what it is, and when it fires or where its page is; nothing that moves with the clock. */
export const changelings = Object.fromEntries([
  ...crons.map(({ name, kind, provider, schedule, timezone, enabled }) => [
    name,
    { kind, provider, schedule, scheduleInWords: scheduleInWords(schedule), timezone, enabled },
  ]),
  ...pages,
]);

/** @returns what declares the web changelings, and what forwards to them. Their parts load only for who uses them */
async function lookAtWebs() {
  const [{ ForwardingServer }, { localWebs }, { pageUrl }, { WebChangeling }] = await Promise.all([
    import("./components/web/forwarding/forwarding-server.ts"),
    import("./components/web/local/observe.ts"),
    import("./components/web/forwarding/urls.ts"),
    import("./components/web/web-changeling.ts"),
  ]);
  const { forwarding, mngrProfile } = fleet;
  const of = (where: (typeof webs)[number]["provider"]) => webs.filter(({ provider }) => provider === where);
  const [local, docker, modal] = await allTold([
    localWebs(of("local"), { mngrProfile, secretValues: secretsOf }),
    of("docker").length === 0 ? undefined : websInDocker(of("docker")),
    of("modal").length === 0 ? undefined : websOnModal(of("modal")),
  ]);
  if (forwarding.provider === "docker") await lookAtForwarding(local.installation);
  return () => {
    // It starts first, and is told of each agent that comes; but a port that is taken keeps no agent from running.
    new ForwardingServer("forwarding", { ...forwarding, installation: local.installation });
    return webs.map((declared) => {
      const { name, kind, provider, enabled } = declared;
      const secretValues = secretsOf(declared);
      const { agentId, servers } = new WebChangeling(name, { ...declared, local, docker, modal, secretValues });
      const url = agentId.apply((id) => id && pageUrl(forwarding, id));
      return [name, { kind, provider, enabled, url, servers }] as const;
    });
  };
}

/** A Docker that does not answer is told before anything is touched. */
async function lookAtForwarding(installation: string) {
  const { lookInDocker } = await import("./components/web/forwarding/docker/resources.ts");
  lookInDocker(installation);
}

/** Modal's parts load only for who uses them. */
async function lookAtModal() {
  const { modalStack } = await import("./components/modal/stack.ts");
  return modalStack({ mngrProfile: fleet.mngrProfile, stackToken: await modalTokenOfStack(config) });
}

async function placeOnModal() {
  const { modalPlace } = await import("./components/cron/modal/observe.ts");
  return modalPlace(onModal, { modal: stackOnModal, secretValues: secretsOf });
}

async function websInDocker(declared: typeof webs) {
  const { dockerWebs } = await import("./components/web/docker/observe.ts");
  return dockerWebs(declared, { mngrProfile: fleet.mngrProfile, secretValues: secretsOf });
}

async function websOnModal(declared: typeof webs) {
  const { modalWebs } = await import("./components/web/modal/observe.ts");
  return modalWebs(declared, { modal: stackOnModal, secretValues: secretsOf });
}
