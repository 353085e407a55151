import { environmentCodec, text } from "../command-environment.ts";

/** The variables that describe the stack's home to a Command on Modal. They are known once the home is deployed. */
export const homeVariables = {
  environment: ["MODAL_ENVIRONMENT", text],
  /** The mngr user that creates the agents. */
  userId: ["MNGR_USER_ID", text],
  prefix: ["MNGR_PREFIX", text],
} as const;

export const homeEnvironment = environmentCodec(homeVariables);
