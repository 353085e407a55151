export interface WorkerdConfig {
  readonly port: number;
  readonly runnerPort: number;
  /** The secret that the runner requires. workerd adds it to requests, so that the worker does not know it. */
  readonly runnerSecret: string;
  /** The SHA-256 of the token of the installation's owner, in hexadecimal. */
  readonly ownerHash: string;
}

/** The names of workerd's files, beside its config. */
export const workerFile = "worker.mjs";
export const objectsFolder = "objects";

/** For workerd and for Cloudflare. With these flags, an object is notified when a client disconnects. */
export const workerCompatibility = {
  date: "2026-07-01",
  flags: ["enable_request_signal", "request_signal_passthrough"],
} as const;

/**
 * Unique keys are part of the databases' paths, so they never change.
 *
 * @returns the configuration in Cap'n Proto's text format
 */
export function workerdConfig({ port, runnerPort, runnerSecret, ownerHash }: WorkerdConfig): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .sessions),
    (name = "disk", disk = (path = "${objectsFolder}", writable = true)),
    (name = "runner", external = (address = "127.0.0.1:${runnerPort}", http = (
      injectRequestHeaders = [ (name = "authorization", value = "Bearer ${runnerSecret}") ]))),
    # The worker can reach nothing else.
    (name = "internet", network = (allow = [])),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:${port}", http = (), service = "main") ],
);
const sessions :Workerd.Worker = (
  modules = [ (name = "worker", esModule = embed "${workerFile}") ],
  compatibilityDate = "${workerCompatibility.date}",
  compatibilityFlags = [${workerCompatibility.flags.map((flag) => `"${flag}"`).join(", ")}],
  durableObjectNamespaces = [
    (className = "Session", uniqueKey = "session-v1", enableSql = true),
    (className = "Directory", uniqueKey = "directory-v1", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "SESSIONS", durableObjectNamespace = "Session"),
    (name = "DIRECTORY", durableObjectNamespace = "Directory"),
    (name = "RUNNER", service = "runner"),
    (name = "OWNER_HASH", text = "${ownerHash}"),
  ],
);
`;
}
