/** The declared config: what a fleet file says, checked and decided. No Pulumi in it. */

export { type ChangelingOptions, ChangelingOptionsError, changelingOf } from "../cron/from-program.ts";
export { nextFires, scheduleInWords } from "../cron/schedule.ts";
export { isRepoUrl } from "../git/repo-name.ts";
export { settingsToml, type WebSettings, webSettings } from "../web/settings.ts";
export type {
  AddedPath,
  Changeling,
  CronProvider,
  DeclaredCron,
  DeclaredWeb,
  Fleet,
  Forwarding,
  ImageStrategy,
  Kind,
  Provider,
} from "./changeling.ts";
export { type Fault, formatFaults } from "./diagnostics.ts";
export { type LoadContext, type LoadedFleet, loadFleet } from "./load.ts";
export {
  type MissingSecret,
  missingSecrets,
  requiredSecrets,
  type SetVariables,
  secretNames,
} from "./secrets.ts";
