import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type HomeVolume, keysFolder } from "../../modal/home-volume.ts";
import { homeVolumeName } from "../../modal/names.ts";
import { buildArgsInside } from "../machine/build-context.ts";
import { declaredImage, type Machines, type MachineWeb } from "../machine/machine-web.ts";
import { addressOf } from "../machine/machines.ts";
import { hostIdTag, hostNameTag, labelTag, lifeSeconds } from "./mngr-on-modal.ts";

/** How long a machine may take to snapshot itself and end, and how often that is checked. */
const timeouts = { seconds: 420, everySeconds: 2 };

/**
 * Makes a machine snapshot itself and end, with the script that mngr 0.3.0 installed there. The script allows 30
 * seconds for the snapshot and then kills the machine without one. A snapshot can take minutes, so this raises the
 * limit.
 */
export const shutDownCommand =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: for the shell
  'script="${TMPDIR:-/tmp}/changelings-shutdown.sh"; ' +
  `sed 's/--max-time 30 /--max-time 330 /' "$MNGR_HOST_DIR/commands/shutdown.sh" >"$script"; ` +
  'setsid bash "$script" STOPPED >/dev/null 2>&1 </dev/null & sleep 0.1';

/** The machines of web agents on Modal, which are sandboxes. */
export function modalMachines(at: HomeVolume, { mngr, log }: Pick<MachineWeb, "mngr" | "log">): Machines {
  const { client, stack, environment } = at;
  const tagsOf = (changeling: string) => ({
    [labelTag("changeling")]: changeling,
    [labelTag("changelings_stack")]: stack,
    [labelTag("changeling_kind")]: "web",
  });
  return {
    ensureVolume: (name) => client.createVolume(name, environment, { version: 2 }),
    deleteVolume: (name) => client.deleteVolume(name, environment),
    async downloadRepo(volume, folder) {
      if (!(await client.volumes(environment)).some(({ name }) => name === volume)) return false;
      const files = await client.files(volume, environment, "/");
      if (!files.some(({ path }) => path === ".git")) return false;
      mkdirSync(folder);
      await client.download(volume, environment, "/", folder);
      return true;
    },
    async argumentsFor({ spec, volumes, repo }) {
      const mounts = Object.entries(volumes).map(([path, name]) => `volume=${name}:${path}`);
      return {
        buildArgs: [`timeout=${lifeSeconds}`, ...mounts, ...buildArgsInside(declaredImage(spec), repo, "modal")],
        startArgs: [],
      };
    },
    async admittedKeys() {
      const home = homeVolumeName(stack);
      const files = await client.files(home, environment, keysFolder);
      const keys = await Promise.all(files.map(({ path }) => client.readFile(home, environment, path)));
      return keys.flatMap((key) => (key === undefined ? [] : [`${key.trim()}\n`])).join("");
    },
    async hostsOf(changeling) {
      const sandboxes = await client.sandboxes(environment, tagsOf(changeling));
      return sandboxes.flatMap(({ tags }) => tags[hostNameTag] ?? []);
    },
    async sweep(changeling) {
      await client.endSandboxes(environment, tagsOf(changeling));
    },
    async end(hostId) {
      await client.endSandboxes(environment, { [hostIdTag]: hostId });
    },
    /** With a snapshot, like mngr's own watcher. */
    async stop(agent) {
      const tags = { [hostIdTag]: agent.host.id };
      const isGone = async () => (await client.sandboxes(environment, tags)).length === 0;
      if (await isGone()) return;
      const address = addressOf(agent);
      // Stops the agent first, so that it can save its state before the snapshot.
      await mngr.stop(address);
      await mngr.exec([address], shutDownCommand);
      const until = performance.now() + timeouts.seconds * 1000;
      while (performance.now() < until) {
        await sleep(timeouts.everySeconds * 1000);
        if (await isGone()) return;
      }
      const { name } = agent.host;
      log(`warning: the machine ${name} did not end within ${timeouts.seconds} s, so it is ended without a snapshot`);
      await client.endSandboxes(environment, tags);
    },
    async destroy(host) {
      // mngr leaves an unreachable machine running.
      await client.endSandboxes(environment, { [hostNameTag]: host });
      await mngr.destroyHost(host);
    },
    deleteSnapshot: (id) => client.deleteImage(id),
  };
}
