/** The declared config: what a fleet file says, checked and decided. No Pulumi in it. */
export type { Changeling, Fleet, ImageStrategy, Kind, Provider } from "./changeling.ts";
export { type Fault, formatFaults } from "./fault.ts";
export { type LoadContext, type LoadedFleet, loadFleet } from "./load.ts";
export { isRepoUrl } from "./repo.ts";
export { type ChangelingOptions, ChangelingOptionsError, changelingOf } from "./resolve.ts";
export { nextFires, scheduleInWords } from "./schedule.ts";
export {
  type MissingSecret,
  missingSecrets,
  requiredSecrets,
  type SetVariables,
  secretNames,
} from "./secrets.ts";
