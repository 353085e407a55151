import { environmentCodec, text } from "../../command-environment.ts";

/** What a web agent's Command on Modal is told of the stack there. */
export const machineVariables = {
  stack: ["STACK", text],
  environment: ["MODAL_ENVIRONMENT", text],
  userId: ["STACK_USER_ID", text],
  prefix: ["STACK_PREFIX", text],
} as const;

export const machineEnvironment = environmentCodec(machineVariables);
