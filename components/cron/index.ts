/** Scheduled changelings for other people's Pulumi programs: `import { … } from "changelings"`. */

export { ChangelingOptionsError } from "../fleet/program-options.ts";
export { confirmedInstallation as installation } from "../stack/installation.ts";
export { type ModalStack, type ModalStackOptions, modalStack } from "../stack/modal.ts";
export { CronChangeling, type CronChangelingArgs } from "./cron-changeling.ts";
export type { DeclaredCron } from "./declared.ts";
export { type ChangelingOptions, changelingOf } from "./from-program.ts";
export type { ModalPlace } from "./modal/deploy.ts";
export { type ModalPlaceOptions, modalPlace } from "./modal/observe.ts";
