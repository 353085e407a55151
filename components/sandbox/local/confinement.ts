import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { toolsFolder } from "../image/tools.ts";
import { ownFolders } from "./paths.ts";

/** What the programs of a sandbox can see. Nothing else of this machine exists for them. */
export interface Confinement {
  /** The folder with `workspace`, `root` and `tmp`. */
  readonly files: string;
  /** The folder with the image's `app` and `etc`. */
  readonly image: string;
  /** Host folders by their paths in the sandbox. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Folders of the image's npm packages, by part. */
  readonly parts: Readonly<Record<string, string>>;
  /** More host folders, read-only, by their paths in the sandbox, where their parent must be a read-only mount too. */
  readonly mounts: Readonly<Record<string, string>>;
  /** The Node executable for the sandbox: the one that runs this process. */
  readonly node: string;
  readonly hostname: string;
  /** Whether it keeps the caller's network namespace. Otherwise it gets a new one, without a network. */
  readonly hasNetwork: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

const nodeFolder = `${toolsFolder}/node`;
/** The size of /dev/shm and of /run, in bytes. The other folders are on disk. */
const memoryFolderBytes = 512 * 1024 * 1024;

/** New namespaces, no capabilities, and the programs end when their parent does. */
const isolation = [
  ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
  ...["--uid", "0", "--gid", "0", "--cap-drop", "ALL", "--clearenv", "--die-with-parent", "--new-session"],
];

/** bubblewrap's arguments, without the program. They contain the environment, so pass them by `argumentFile`, not by argv. */
export function confine(confinement: Confinement): string[] {
  const { files, image, volumes, parts, mounts, node, hostname, hasNetwork, env, cwd } = confinement;
  return [
    ...isolation,
    // Most privilege escalations in the kernel begin in a nested user namespace.
    "--disable-userns",
    ...(hasNetwork ? [] : ["--unshare-net"]),
    ...["--hostname", hostname],
    ...systemMounts(),
    ...Object.keys(ownConfiguration).flatMap((name) => ["--ro-bind", join(image, "etc", name), join("/etc", name)]),
    ...hostConfiguration(),
    ...["--size", String(memoryFolderBytes), "--tmpfs", "/run", "--dir", "/var/lib", "--symlink", "../tmp", "/var/tmp"],
    ...["--ro-bind", join(image, "app"), "/app"],
    ...["--ro-bind", node, `${nodeFolder}/node_modules/.bin/node`],
    ...Object.entries(parts).flatMap(([part, folder]) => ["--ro-bind", folder, `${toolsFolder}/${part}`]),
    ...Object.entries(mounts).flatMap(([path, folder]) => ["--ro-bind", folder, path]),
    ...ownFolders.flatMap((folder) => ["--bind", join(files, folder), `/${folder}`]),
    ...Object.entries(volumes).flatMap(([path, folder]) => ["--bind", folder, path]),
    ...["--remount-ro", "/"],
    ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--chdir", cwd],
  ];
}

/**
 * The content of a file for bubblewrap's `--args`, which separates arguments by NUL bytes.
 *
 * @throws Error if an argument contains one, for instance in a variable: the rest of it would be read as more arguments
 */
export function argumentFile(args: readonly string[]): string {
  if (args.some((arg) => arg.includes("\0"))) throw new Error("a variable or a path contains a NUL byte");
  return args.map((arg) => `${arg}\0`).join("");
}

/** Arguments for our own tools on a sandbox's files: they see the system's programs and these folders, nothing else. */
export function confineTool(
  folders: Readonly<Record<string, { readonly path: string; readonly isWritable: boolean }>>,
) {
  return [
    ...isolation,
    // Files of a sandbox may forbid their owner to read or remove them.
    ...["--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_FOWNER"],
    "--unshare-net",
    ...systemMounts(),
    ...Object.entries(folders).flatMap(([inside, { path, isWritable }]) => [
      isWritable ? "--bind" : "--ro-bind",
      path,
      inside,
    ]),
    ...["--setenv", "PATH", "/usr/bin:/bin"],
  ];
}

/** Arguments for the forwarder, which holds the sandbox's network namespace: it sees Node, itself and the proxy's socket. */
export function confineForwarder(node: string, forwarder: string, socketFolder: string): string[] {
  return [
    ...isolation,
    "--unshare-net",
    ...systemMounts(),
    ...["--ro-bind", node, "/node", "--ro-bind", forwarder, "/forward.mjs", "--ro-bind", socketFolder, "/egress"],
  ];
}

/** The parts of the PATH that are mounted, in order. */
export function mountedParts(parts: Readonly<Record<string, string>>): string[] {
  return ["node", ...Object.keys(parts)];
}

/** The system's programs and libraries. */
function systemMounts(): string[] {
  const folders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
  const mounts = folders.flatMap((folder) => {
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (stats === undefined) return [];
    return stats.isSymbolicLink() ? ["--symlink", readlinkSync(folder), folder] : ["--ro-bind", folder, folder];
  });
  return [...mounts, "--proc", "/proc", "--dev", "/dev", "--size", String(memoryFolderBytes), "--tmpfs", "/dev/shm"];
}

/**
 * Files of /etc that programs in /usr need. Not all of /etc/ssl and /etc/pki: they contain private keys.
 */
const configuration = [
  ...["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "services", "protocols"],
  ...["ssl/certs", "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf"],
  ...["pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "crypto-policies"],
  ...["chromium", "chromium.d", "fonts", "vim", "magic", "os-release", "debian_version", "terminfo"],
];

function hostConfiguration(): string[] {
  return configuration
    .filter((name) => lstatSync(join("/etc", name), { throwIfNoEntry: false }) !== undefined)
    .flatMap((name) => ["--ro-bind-try", join("/etc", name), join("/etc", name)]);
}

/** Files of /etc that replace this machine's own. */
export const ownConfiguration: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
  group: "root:x:0:\nnogroup:x:65534:\n",
  hosts: "127.0.0.1 localhost\n::1 localhost\n",
  // Names are resolved by the egress proxy.
  "resolv.conf": "",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
};
