/** Makes, updates or removes the agent of a web changeling in Docker: the `<name>-docker-agent` Command. */
import { homedir } from "node:os";
import { installationPaths } from "../components/installation-paths.ts";
import { applyOnDocker } from "../components/web/docker/apply-on-docker.ts";
import { isDockerVariable } from "../components/web/docker/docker-environment.ts";
import { removeFromDocker } from "../components/web/docker/remove-from-docker.ts";
import { webAgents } from "../components/web/local/web-agents.ts";
import { specOfEnvironment, webEnvironment } from "../components/web/web-environment.ts";
import { runScript } from "./script.ts";

process.umask(0o077);

await runScript({
  variables: webEnvironment,
  keeps: isDockerVariable,
  // Twice what a start may take, since one that fails is rolled back, and what git, mngr and Docker take for it.
  timeoutSeconds: 4 * 3600,
  async apply(variables) {
    const spec = specOfEnvironment(variables, { project: process.cwd(), home: homedir() });
    const web = webAgents(variables.INSTALLATION, installationPaths(variables.INSTALLATION));
    return { ...(await applyOnDocker(spec, variables.RENAMED_FROM, web)) };
  },
  async remove({ NAME: name, INSTALLATION: installation, MNGR_PROFILE: mngrProfile, DESTROY_DATA: destroyData }) {
    const web = webAgents(installation, installationPaths(installation));
    return { ...(await removeFromDocker({ name, mngrProfile, destroyData: destroyData === "yes" }, web)) };
  },
});
