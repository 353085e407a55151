/** Makes, updates or removes the agent of a local web changeling: the `<name>-agent` Command. */
import { homedir } from "node:os";
import { installationPaths } from "../components/installation-paths.ts";
import { isDockerVariable } from "../components/web/docker/docker-environment.ts";
import { applyWeb } from "../components/web/local/apply.ts";
import { removeWeb } from "../components/web/local/remove.ts";
import { webAgents } from "../components/web/local/web-agents.ts";
import { specOfEnvironment, webEnvironment } from "../components/web/web-environment.ts";
import { runScript } from "./script.ts";

// mngr keeps an agent's environment, secrets included, in a file that is made with this mask.
process.umask(0o077);

await runScript({
  variables: webEnvironment,
  // The forwarding server may be in a container, and is told of the agent there.
  keeps: isDockerVariable,
  // Twice what a start may take, since one that fails is rolled back, and what git and mngr take for it.
  timeoutSeconds: 4 * 3600,
  async apply(variables) {
    const anchors = { project: process.cwd(), home: homedir() };
    const spec = specOfEnvironment(variables, anchors);
    const web = webAgents(variables.INSTALLATION, installationPaths(variables.INSTALLATION));
    return { ...(await applyWeb(spec, variables.RENAMED_FROM, web)) };
  },
  async remove({ NAME: name, INSTALLATION: installation, MNGR_PROFILE: mngrProfile, DESTROY_DATA: destroyData }) {
    const web = webAgents(installation, installationPaths(installation));
    return { ...(await removeWeb({ name, mngrProfile, destroyData: destroyData === "yes" }, web)) };
  },
});
