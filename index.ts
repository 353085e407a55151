/** The fleet: one file in, one component per changeling out. */
import * as pulumi from "@pulumi/pulumi";
import { declaredFleet, modalTokenOfStack, secretValues } from "./components/declared-fleet.ts";
import { type Changeling, scheduleInWords, secretNames } from "./components/fleet/index.ts";

// The SDK takes a stack trace per promise and per resource: half of a large preview's time. Errors of ours need none.
if (!process.env["CHANGELINGS_DEBUG"]) {
  Object.assign(Error, { stackTraceLimit: 0, prepareStackTrace: undefined });
}

const config = new pulumi.Config();
// The components load while git answers for the fleet's repositories.
const [fleet, { CronChangeling }] = await Promise.all([
  declaredFleet(config),
  import("./components/cron/cron-changeling.ts"),
]);
const values = await secretValues(fleet, config);
const secretsOf = (changeling: Changeling) =>
  Object.fromEntries(
    secretNames(changeling).flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
const onModal = fleet.changelings.filter(({ provider }) => provider === "modal");
const modal = onModal.length === 0 ? undefined : await placeOnModal();

for (const changeling of fleet.changelings) {
  new CronChangeling(changeling.name, {
    ...changeling,
    mngrProfile: fleet.mngrProfile,
    modal,
    secretValues: secretsOf(changeling),
  });
}

/** Per changeling what it is and when it fires; nothing that moves with the clock. */
export const changelings = Object.fromEntries(
  fleet.changelings.map(({ name, kind, provider, schedule, timezone, enabled }) => [
    name,
    { kind, provider, schedule, scheduleInWords: scheduleInWords(schedule), timezone, enabled },
  ]),
);

/** Modal's parts load only for who uses them. */
async function placeOnModal() {
  const { modalPlace } = await import("./components/cron/modal-place.ts");
  const stackToken = await modalTokenOfStack(config);
  return modalPlace(onModal, { mngrProfile: fleet.mngrProfile, stackToken, secretValues: secretsOf });
}
