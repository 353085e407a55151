import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { startOf } from "../../scripts/stack/setup/processes.mjs";
import { pathOfRoot } from "../../scripts/stack/setup/tools.ts";

/** A docker daemon of a test's own. */
export interface OwnDockerd {
  /** In the form of DOCKER_HOST. */
  readonly host: string;
  /** Stops it and all its containers, and removes its files. */
  end(): Promise<void>;
}

const START_SECONDS = 60;
const BRIDGES = 32;

/**
 * Starts a daemon with its own images, containers and networks. It ends with this process, however that ends, and does
 * not touch this machine's firewall or any other daemon. Its containers can reach this machine and nothing
 * else, and are reachable through their published ports.
 *
 * It has its own PID namespace, so all its descendants end with it. It has its own mount namespace, so its mounts do
 * too, and it finds no containerd but its own.
 *
 * @throws with its log tail if it does not start
 */
export async function startDockerd(): Promise<OwnDockerd> {
  const folder = mkdtempSync(join(tmpdir(), "dockerd-"));
  const env = { ...process.env, PATH: pathOfRoot() };
  const bridge = await addBridge(folder, env);
  const host = `unix://${join(folder, "docker.sock")}`;
  writeFileSync(join(folder, "daemon.json"), "{}");
  mkdirSync(join(folder, "tmp"));
  const hideContainerd = 'mkdir -p /run/containerd && mount -t tmpfs tmpfs /run/containerd && exec "$@"';
  const child = spawn(
    "setpriv",
    [
      ...["--pdeathsig", "SIGKILL", "unshare", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child=SIGKILL"],
      ...["sh", "-c", hideContainerd, "sh", "dockerd", "--host", host, "--bridge", bridge],
      ...["--config-file", join(folder, "daemon.json"), "--pidfile", join(folder, "pid")],
      ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
      // A systemd cgroup driver would not find the processes of another PID namespace.
      ...["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", `/${basename(folder)}`],
      ...["--iptables=false", "--ip-masq=false", "--ip-forward=false"],
    ],
    // This process handles a Ctrl-C in the terminal.
    { env: { ...env, TMPDIR: join(folder, "tmp") }, stdio: ["ignore", "ignore", "pipe"], detached: true },
  );
  const end = async (): Promise<void> => {
    await kill(child);
    await removeTraces(folder, bridge, env);
  };
  try {
    await listening(child);
    return { host, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Reads its log as long as it runs, so that the pipe never fills up. */
async function listening(child: ChildProcess): Promise<void> {
  if (child.stderr === null) throw new Error("its stderr is no pipe");
  const tail: string[] = [];
  const listens = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr ?? process.stdin }).on("line", (line) => {
      tail.splice(0, tail.length - 19);
      tail.push(line);
      if (line.includes("API listen on")) resolve();
    });
    const fail = (why: string) => reject(new Error(`dockerd ${why}:\n${tail.join("\n")}`));
    child.once("error", ({ message }) => fail(message));
    child.once("close", (code, signal) => fail(`ended with ${code ?? signal}`));
    setTimeout(() => fail(`did not listen within ${START_SECONDS} s`), START_SECONDS * 1000).unref();
  });
  await listens;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Removes what remains after all its processes have ended. */
async function removeTraces(folder: string, bridge: string, env: NodeJS.ProcessEnv): Promise<void> {
  await removeCgroups(basename(folder));
  // Its networks' bridges stay, and a later daemon could give their addresses to another network.
  for (const name of bridgesOf(folder))
    succeeds(() => execFileSync("ip", ["link", "delete", name], { env, stdio: "ignore" }));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  execFileSync("ip", ["link", "delete", bridge], { env, stdio: "ignore" });
}

/** The bridges of the networks that were created in a daemon, by its own records. */
function bridgesOf(folder: string): string[] {
  const records = join(folder, "data", "network", "files", "local-kv.db");
  const text = existsSync(records) ? readFileSync(records, "latin1") : "";
  return [...new Set(text.match(/\bbr-[0-9a-f]{12}\b/g))];
}

/**
 * Creates a network bridge with its own range of addresses, in 198.18.0.0/15, which is reserved for tests (RFC 2544).
 * First removes leftovers of killed processes.
 *
 * @param folder of the daemon; recorded in the bridge's alias
 */
async function addBridge(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const ip = (...args: string[]) => execFileSync("ip", args, { env, stdio: ["ignore", "ignore", "pipe"] });
  for (let index = 0; index < BRIDGES; index += 1) {
    const name = `clgtest${index}`;
    const abandoned = folderOfDead(name);
    if (abandoned !== undefined) await removeTraces(abandoned, name, env);
    // The name claims the interface: no two processes can create the same one.
    if (!succeeds(() => ip("link", "add", "name", name, "type", "bridge"))) continue;
    ip("link", "set", "dev", name, "alias", `${process.pid} ${startOf(process.pid)} ${folder}`);
    ip("address", "add", `198.18.${index}.1/24`, "dev", name);
    ip("link", "set", "dev", name, "up");
    return name;
  }
  throw new Error("no bridge could be made for a docker daemon: ip link add type bridge");
}

/** The folder of a daemon whose process is dead. */
function folderOfDead(bridge: string): string | undefined {
  try {
    const [pid, start, ...folder] = readFileSync(`/sys/class/net/${bridge}/ifalias`, "utf8").trim().split(" ");
    return startOf(Number(pid)) === start || folder.length === 0 ? undefined : folder.join(" ");
  } catch {
    return undefined;
  }
}

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

/** The kernel releases a cgroup shortly after its last process. */
async function removeCgroups(name: string): Promise<void> {
  const roots = ["/sys/fs/cgroup", ...foldersIn("/sys/fs/cgroup")].map((folder) => join(folder, name));
  for (let tries = 0; tries < 20; tries += 1) {
    for (const root of roots) for (const folder of [...foldersBelow(root), root]) succeeds(() => rmdirSync(folder));
    if (roots.every((root) => !succeeds(() => readdirSync(root)))) return;
    await sleep(100);
  }
}

/** Deepest first. */
function foldersBelow(folder: string): string[] {
  return foldersIn(folder).flatMap((each) => [...foldersBelow(each), each]);
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}
