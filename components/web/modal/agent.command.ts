/** Creates, updates or removes the agent of a web changeling on Modal: the `<name>-agent-modal` Command. */
import { homedir } from "node:os";
import * as z from "zod/mini";
import { environmentCodec, optionalText, type ValuesOf } from "../../command-environment.ts";
import { commandScript } from "../../command-script.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { keepModalToken } from "../../modal/kept-token.ts";
import { specOfWeb, webVariables } from "../agent/web-environment.ts";
import { applyWeb } from "../life-cycle/apply.ts";
import { webAgents } from "../life-cycle/web-agents.ts";
import { machineHost } from "../machine/machine-host.ts";
import { machineVariables } from "./machine-environment.ts";
import { modalWeb } from "./machine-web.ts";
import { removeFromModal } from "./provider.ts";

process.umask(0o077);

const variables = environmentCodec({
  ...webVariables,
  ...machineVariables,
  /** The values of its secrets, as JSON. */
  values: ["VALUES", optionalText],
});

type Variables = ValuesOf<typeof variables.table>;

export default commandScript({
  variables: variables.schema,
  keeps: isModalVariable,
  // Time for two starts, because a failed one is rolled back, and for git, mngr and Modal.
  timeoutSeconds: 4 * 3600,
  async apply({ values, stack, environment, userId, prefix, ...declared }) {
    const secrets = secretsOf(values);
    const web = webOf({ stack, environment, userId, prefix, ...declared });
    keepModalToken(installationPaths(declared.installation).forwarding, process.env);
    const spec = specOfWeb(declared, { project: process.cwd(), home: homedir() });
    return { ...(await applyWeb(spec, declared.renamedFrom, { secrets, host: machineHost(web) })) };
  },
  async remove({ name, destroyData, ...at }) {
    return { ...(await removeFromModal({ name, destroyData }, webOf(at))) };
  },
});

type Place = Pick<Variables, "installation" | "stack" | "environment" | "userId" | "prefix" | "mngrProfile">;

function webOf({ installation, stack, environment, userId, prefix, mngrProfile }: Place) {
  const agents = webAgents(installation, installationPaths(installation));
  return modalWeb({ stack, environment, userId, prefix, mngrProfile }, agents);
}

/** Errors of JSON.parse and zod would quote their input, which is secret here. */
function secretsOf(json = "{}"): Record<string, string> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(json));
  } catch {
    throw new Error("the values of its secrets are not a JSON object of strings");
  }
}
