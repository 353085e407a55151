import { execFileSync, spawn } from "node:child_process";
import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { portOf } from "./fault-proxy.ts";

export interface GitServer extends AsyncDisposable {
  /** On 127.0.0.1. Sandboxes of the Modal emulator must be allowed to reach it. */
  readonly port: number;
  /** Each answered request, in order. */
  readonly requests: readonly GitRequest[];
  /** The URL of a repository, without credentials. */
  url(name: string): string;
  /** Creates a bare repository, empty or a mirror of another one's branches. Returns its folder. */
  create(name: string, from?: string): string;
  stop(): Promise<void>;
}

export interface GitRequest {
  readonly method: string;
  /** With the query: "/repo.git/info/refs?service=git-upload-pack". */
  readonly path: string;
  readonly status: number;
}

/** Isolates git from the settings of the machine and the user. */
const gitEnvironment = {
  PATH: process.env["PATH"],
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/**
 * A git server over plain http on loopback, with bare repositories in its own folder. Everyone may fetch and push.
 *
 * @param options `token`: required for access, passed as to GitHub (with any user name, for instance x-access-token)
 */
export async function startGitServer(options: { readonly token?: string } = {}): Promise<GitServer> {
  const folder = mkdtempSync(join(tmpdir(), "git-server-"));
  const requests: GitRequest[] = [];
  const server = createServer((request, response) => {
    response.once("finish", () => {
      requests.push({ method: request.method ?? "", path: request.url ?? "", status: response.statusCode });
    });
    if (options.token !== undefined && !holdsToken(request, options.token)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end("Authentication is needed.\n");
    } else {
      serve(folder, request, response);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const stop = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  return {
    port,
    requests,
    url: (name) => `http://127.0.0.1:${port}/${name}.git`,
    create(name, from) {
      const bare = join(folder, `${name}.git`);
      const args =
        from === undefined ? ["init", "--bare", "--initial-branch=main", bare] : ["clone", "--bare", from, bare];
      execFileSync("git", args, { env: gitEnvironment, stdio: ["ignore", "ignore", "pipe"] });
      return bare;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function holdsToken(request: IncomingMessage, token: string): boolean {
  const [, encoded = ""] = /^Basic (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
  const given = Buffer.from(
    Buffer.from(encoded, "base64")
      .toString("utf8")
      .replace(/^[^:]*:/, ""),
  );
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** git's own CGI program handles the request and writes header and body (git-http-backend(1)). */
function serve(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
  const { headers } = request;
  const backend = spawn("git", ["http-backend"], {
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: headers["content-type"] ?? "",
      CONTENT_LENGTH: headers["content-length"] ?? "",
      HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
      // Any named user may push.
      REMOTE_USER: "pusher",
      REMOTE_ADDR: "127.0.0.1",
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const fail = (): void => {
    if (!response.headersSent) response.writeHead(500);
    response.end();
  };
  backend.once("error", fail);
  // It may respond before it has read all of a request that it rejects.
  backend.stdin.on("error", () => request.resume());
  request.pipe(backend.stdin);
  response.once("close", () => backend.kill());
  let head = Buffer.alloc(0);
  const readHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end === -1) return;
    backend.stdout.off("data", readHead);
    backend.stdout.off("end", fail);
    writeHead(response, head.toString("latin1", 0, end));
    response.write(head.subarray(end + 4));
    backend.stdout.pipe(response);
  };
  backend.stdout.on("data", readHead);
  backend.stdout.once("end", fail);
}

function writeHead(response: ServerResponse, head: string): void {
  for (const line of head.split("\r\n")) {
    const [, name = "", value = ""] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
}
