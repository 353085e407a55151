import { environmentCodec, text } from "../../command-environment.ts";

/** The stack's location on Modal, in the environment of a web agent's Command. */
export const machineVariables = {
  stack: ["STACK", text],
  environment: ["MODAL_ENVIRONMENT", text],
  userId: ["STACK_USER_ID", text],
  prefix: ["STACK_PREFIX", text],
} as const;

export const machineEnvironment = environmentCodec(machineVariables);
