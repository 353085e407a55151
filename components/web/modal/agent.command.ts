/** Makes, updates or removes the agent of a web changeling on Modal: the `<name>-agent-modal` Command. */
import { homedir } from "node:os";
import * as z from "zod/mini";
import { commandScript } from "../../command-script.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { specOfEnvironment, webEnvironment } from "../agent/web-environment.ts";
import { webAgents } from "../local/records.ts";
import { applyOnMachine } from "../machine/apply-on-machine.ts";
import { keepModalToken } from "./kept-token.ts";
import { modalWeb } from "./machine-web.ts";
import { removeFromModal } from "./provider.ts";

process.umask(0o077);

const variables = z.object({
  ...webEnvironment.shape,
  STACK: z.string(),
  MODAL_ENVIRONMENT: z.string(),
  STACK_USER_ID: z.string(),
  STACK_PREFIX: z.string(),
  /** The values of its secrets, as JSON. */
  VALUES: z.optional(z.string()),
});

export default commandScript({
  variables,
  keeps: isModalVariable,
  // Twice what a start may take, since one that fails is rolled back, and what git, mngr and Modal take for it.
  timeoutSeconds: 4 * 3600,
  async apply(variables) {
    keepModalToken(installationPaths(variables.INSTALLATION), process.env);
    const spec = specOfEnvironment(variables, { project: process.cwd(), home: homedir() });
    return {
      ...(await applyOnMachine(spec, variables.RENAMED_FROM, { secrets: secretsOf(variables), web: webOf(variables) })),
    };
  },
  async remove(variables) {
    const { NAME: name, DESTROY_DATA: destroyData } = variables;
    return { ...(await removeFromModal({ name, destroyData: destroyData === "yes" }, webOf(variables))) };
  },
});

function webOf({
  INSTALLATION,
  STACK,
  MODAL_ENVIRONMENT,
  STACK_USER_ID,
  STACK_PREFIX,
  MNGR_PROFILE,
}: z.infer<typeof variables>) {
  return modalWeb(
    {
      stack: STACK,
      environment: MODAL_ENVIRONMENT,
      userId: STACK_USER_ID,
      prefix: STACK_PREFIX,
      mngrProfile: MNGR_PROFILE,
    },
    webAgents(INSTALLATION, installationPaths(INSTALLATION)),
  );
}

/** JSON.parse and zod would quote what they choke on: here that is a secret. */
function secretsOf({ VALUES: json = "{}" }: z.infer<typeof variables>): Record<string, string> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(json));
  } catch {
    throw new Error("the values of its secrets are not a JSON object of strings");
  }
}
