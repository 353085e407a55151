/** The declared config: what a fleet file says, checked and decided. No Pulumi in it. */
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
export { type Fault, formatFaults } from "./fault.ts";
export { type ChangelingOptions, ChangelingOptionsError, changelingOf } from "./from-program.ts";
export { type LoadContext, type LoadedFleet, loadFleet } from "./load.ts";
export { isRepoUrl } from "./repo.ts";
export { nextFires, scheduleInWords } from "./schedule.ts";
export {
  type MissingSecret,
  missingSecrets,
  requiredSecrets,
  type SetVariables,
  secretNames,
} from "./secrets.ts";
export { settingsToml, type WebSettings, webSettings } from "./web-settings.ts";
