/** Generates a seed agent's cookie and control token: the `<name>-credentials` Command, whose output the stack encrypts. */
import * as z from "zod/mini";
import { commandScript } from "../command-script.ts";
import { credentialsFor } from "./credentials.ts";

export default commandScript({
  variables: z.object({ ROTATE: z.string(), PULUMI_COMMAND_STDOUT: z.optional(z.string()) }),
  timeoutSeconds: 60,
  apply: async ({ ROTATE: rotate, PULUMI_COMMAND_STDOUT: former }) => credentialsFor(rotate, former),
  remove: async () => ({ removed: true }),
});
