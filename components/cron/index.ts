/** Scheduled changelings for other people's Pulumi programs: `import { … } from "changelings"`. */
export {
  type ChangelingOptions,
  ChangelingOptionsError,
  changelingOf,
  type DeclaredCron,
} from "../fleet/index.ts";
export { type ModalStack, type ModalStackOptions, modalStack } from "../modal/stack.ts";
export { confirmedInstallation as installation } from "../stack/installation.ts";
export { CronChangeling, type CronChangelingArgs } from "./cron-changeling.ts";
export type { ModalPlace } from "./modal/deploy.ts";
export { type ModalPlaceOptions, modalPlace } from "./modal/observe.ts";
