import { environmentCodec, text } from "../command-environment.ts";

/** What a Command on Modal is told of the stack's home; known once that is there. */
export const homeVariables = {
  environment: ["MODAL_ENVIRONMENT", text],
  /** As whom agents are made. */
  userId: ["MNGR_USER_ID", text],
  prefix: ["MNGR_PREFIX", text],
} as const;

export const homeEnvironment = environmentCodec(homeVariables);
