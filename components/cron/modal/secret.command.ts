/** Sets or removes the Modal Secret of a changeling: the `<name>-secret` Command. */
import * as z from "zod/mini";
import { commandScript } from "../../command-script.ts";
import { modalClient } from "../../modal/client.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { secretName } from "../../modal/names.ts";
import { modalToken } from "../../modal/token.ts";
import { removeAgentSecrets } from "./agent-secrets.ts";

const values = z.record(z.string(), z.string());

export default commandScript({
  variables: z.object({
    NAME: z.string(),
    STACK: z.string(),
    MODAL_ENVIRONMENT: z.string(),
    VALUES: z.string(),
    RENAMED_FROM: z.optional(z.string()),
  }),
  keeps: isModalVariable,
  timeoutSeconds: 300,
  async apply({ NAME: name, STACK: stack, MODAL_ENVIRONMENT: environment, VALUES: json, RENAMED_FROM: former }) {
    const client = modalClient({ token: modalToken(process.env), env: process.env });
    const secret = secretName(stack, name);
    const id = await client.putSecret(secret, environment, parseValues(json));
    if (former !== undefined) await client.deleteSecret(secretName(stack, former), environment);
    // Kept agents must not keep the old values.
    await removeAgentSecrets(client, { stack, environment, changeling: name });
    return { secret, id };
  },
  async remove({ NAME: name, STACK: stack, MODAL_ENVIRONMENT: environment }) {
    const client = modalClient({ token: modalToken(process.env), env: process.env });
    const secret = secretName(stack, name);
    await client.deleteSecret(secret, environment);
    return { removed: secret };
  },
});

/** Hides errors from JSON.parse and zod, which would quote the secret. */
function parseValues(json: string): Record<string, string> {
  try {
    return values.parse(JSON.parse(json));
  } catch {
    throw new Error("the values of its secrets are not a JSON object of strings");
  }
}
