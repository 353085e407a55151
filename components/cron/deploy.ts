import type { Deployment, Stack } from "../stack/deployment.ts";
import { CronChangeling } from "./cron-changeling.ts";
import type { DeclaredCron } from "./declared.ts";
import { scheduleInWords } from "./schedule.ts";
import type { CronSettings } from "./settings.ts";

export const cronDeployment: Deployment<DeclaredCron, CronSettings> = {
  async observe(changelings, stack, { maxRunsAtOnce }) {
    const onModal = changelings.filter(({ provider }) => provider === "modal");
    const modal = onModal.length === 0 ? undefined : await observeModal(onModal, stack);
    return () =>
      Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, schedule, timezone, enabled } = declared;
          const secretValues = stack.secretsOf(declared);
          new CronChangeling(name, {
            ...{ declared, mngrProfile: stack.mngrProfile, maxRunsAtOnce, modal, secretValues },
          });
          return [
            name,
            { kind, provider, schedule, scheduleInWords: scheduleInWords(schedule), timezone, enabled },
          ] as const;
        }),
      );
  },
};

/** Loads the Modal modules only if the fleet has changelings on Modal. */
async function observeModal(changelings: readonly DeclaredCron[], stack: Stack) {
  const { modalPlace } = await import("./modal/observe.ts");
  return modalPlace(changelings, { modal: stack.modal, secretValues: stack.secretsOf });
}
