import { settleAll } from "../lib/settle-all.ts";
import type { Deployment } from "../stack/deployment.ts";
import { CronChangeling, type ResolvedCronArgs } from "./cron-changeling.ts";
import type { DeclaredCron } from "./declared.ts";
import { cronProviders } from "./options.ts";
import { providers } from "./providers.ts";
import { scheduleInWords } from "./schedule.ts";
import type { CronSettings } from "./settings.ts";

export const cronDeployment: Deployment<DeclaredCron, CronSettings> = {
  async observe(changelings, stack, { maxRunsAtOnce }) {
    const observed: Pick<ResolvedCronArgs, "modal"> = Object.assign(
      {},
      ...(await settleAll(
        cronProviders.map((provider) => {
          const own = changelings.filter((each) => each.provider === provider);
          return own.length === 0 ? {} : providers[provider].observe(own, stack);
        }),
      )),
    );
    return () =>
      Object.fromEntries(
        changelings.map((declared) => {
          const { name, kind, provider, schedule, timezone, enabled } = declared;
          const secretValues = stack.secretsOf(declared);
          new CronChangeling(name, {
            ...{ ...observed, declared, mngrProfile: stack.mngrProfile, maxRunsAtOnce, secretValues },
          });
          return [
            name,
            { kind, provider, schedule, scheduleInWords: scheduleInWords(schedule), timezone, enabled },
          ] as const;
        }),
      );
  },
};
