/** Makes, updates or removes a web agent that this machine's mngr runs: the `<name>-agent` Command, in Docker `<name>-agent-docker`. */
import { homedir } from "node:os";
import * as z from "zod/mini";
import { environmentCodec } from "../command-environment.ts";
import { commandScript } from "../command-script.ts";
import { isDockerVariable } from "../docker/run-docker.ts";
import { requireInstallationHere } from "../host/claims.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { specOfWeb, webVariables } from "./agent/web-environment.ts";
import { webAgents } from "./local/records.ts";

// mngr keeps an agent's environment, secrets included, in a file that is made with this mask.
process.umask(0o077);

/** Each loads for who uses it. */
const providers = {
  async docker() {
    const [{ applyOnDocker: apply }, { removeFromDocker: remove }] = await Promise.all([
      import("./docker/provider.ts"),
      import("./docker/provider.ts"),
    ]);
    return { apply, remove };
  },
  async local() {
    const [{ applyWeb: apply }, { removeWeb: remove }] = await Promise.all([
      import("./local/apply.ts"),
      import("./local/remove.ts"),
    ]);
    return { apply, remove };
  },
};

export default commandScript({
  variables: environmentCodec({ ...webVariables, provider: ["PROVIDER", z.enum(["local", "docker"])] }).schema,
  // Also for an agent on this machine: the forwarding server may be in a container, and is told of the agent there.
  keeps: isDockerVariable,
  // Twice what a start may take, since one that fails is rolled back, and what git, mngr and Docker take for it.
  timeoutSeconds: 4 * 3600,
  async apply(variables) {
    const anchors = { project: process.cwd(), home: homedir() };
    const spec = specOfWeb(variables, anchors);
    const web = webAgents(variables.installation, installationPaths(variables.installation));
    const { apply } = await providers[variables.provider]();
    return { ...(await apply(spec, variables.renamedFrom, web)) };
  },
  async remove({ name, installation, provider, mngrProfile, destroyData }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    const web = webAgents(installation, paths);
    const { remove } = await providers[provider]();
    return { ...(await remove({ name, mngrProfile, destroyData }, web)) };
  },
});
