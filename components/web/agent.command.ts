/**
 * Creates, updates or removes a web agent that this machine's mngr runs: the `<name>-agent` Command, or
 * `<name>-agent-docker` in Docker.
 */
import { homedir } from "node:os";
import * as z from "zod/mini";
import { environmentCodec } from "../command-environment.ts";
import { commandScript } from "../command-script.ts";
import { isDockerVariable } from "../docker/run-docker.ts";
import { requireInstallationHere } from "../host/claims.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { specOfWeb, webVariables } from "./agent/web-environment.ts";
import { webAgents } from "./local/records.ts";

// mngr creates the file with an agent's environment, including secrets, with this umask.
process.umask(0o077);

/** Loaded lazily, so that each provider only loads when used. */
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
  // Needed even for a local agent: the forwarding server that is notified may be in a container.
  keeps: isDockerVariable,
  // Two starts, because a failed one is rolled back, plus time for git, mngr and Docker.
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
