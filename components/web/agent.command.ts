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
import { recordOn } from "./agent/record.ts";
import { specOfWeb, webVariables } from "./agent/web-environment.ts";
import { applyWeb } from "./life-cycle/apply.ts";
import { removeWeb } from "./life-cycle/remove.ts";
import { secretsOf, webAgents } from "./life-cycle/web-agents.ts";

// mngr creates the file with an agent's environment, including secrets, with this umask.
process.umask(0o077);

/** Loaded lazily, so that each provider only loads when used. */
const hosts = {
  docker: async () => (await import("./docker/provider.ts")).dockerHost,
  local: async () => (await import("./local/local-host.ts")).localHost,
};

export default commandScript({
  variables: environmentCodec({ ...webVariables, provider: ["PROVIDER", z.enum(["local", "docker"])] }).schema,
  // Also for a local agent, because the forwarding server that is notified may run in a container.
  keeps: isDockerVariable,
  // Time for two starts, because a failed one is rolled back, and for git, mngr and Docker.
  timeoutSeconds: 4 * 3600,
  async apply(variables) {
    const anchors = { project: process.cwd(), home: homedir() };
    const spec = specOfWeb(variables, anchors);
    const web = webAgents(variables.installation, installationPaths(variables.installation));
    const hostOf = await hosts[variables.provider]();
    const secrets = secretsOf(spec, web);
    return { ...(await applyWeb(spec, variables.renamedFrom, { secrets, host: hostOf(spec.mngrProfile, web) })) };
  },
  async remove({ name, installation, provider, mngrProfile, destroyData }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    const web = webAgents(installation, paths);
    const hostOf = await hosts[provider]();
    const profile = recordOn(provider, paths, name)?.mngrProfile ?? mngrProfile;
    return { ...(await removeWeb({ name, destroyData }, hostOf(profile, web))) };
  },
});
