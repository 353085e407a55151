import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type ClientRequest, createServer, type IncomingMessage, type RequestListener, request } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setDefaultCACertificates } from "node:tls";
import { Broker, type BrokerLimits } from "../../components/sandbox/egress/broker.ts";
import { startProxy } from "../../components/sandbox/egress/proxy.ts";
import type { ApiAccess, BrokeredApi } from "../../components/sandbox/provider.ts";

/** As a program in a sandbox sees its model's API: by the Unix socket of the egress proxy, and with a token. */

export const key = "sk-real-0123456789abcdef";

/** Of an authority that this machine trusts. */
export const certificate = (() => {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"));
  try {
    const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const made = ["req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=a", "-keyout", keyFile, "-out", certFile];
    const names = [
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
    ];
    execFileSync("openssl", [...made, ...names], { stdio: "pipe" });
    return { key: readFileSync(keyFile), cert: readFileSync(certFile, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
})();
// Here and not in a test: the broker's agent for TLS keeps the authorities of its first connection, and the files of
// a worker share it.
setDefaultCACertificates([certificate.cert]);

const cleanUp: (() => void)[] = [];

export function atEnd(action: () => void): void {
  cleanUp.push(action);
}

/** Ends what `lab` and `listening` started, but not the first ones. */
export function endLabs(kept = 0): void {
  for (const each of cleanUp.splice(kept)) each();
}

export interface Lab {
  readonly broker: Broker;
  readonly socket: string;
  readonly access: ApiAccess;
}

export async function lab(
  baseUrl: string,
  api: Partial<BrokeredApi> = {},
  limits?: Partial<BrokerLimits>,
): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), "broker-"));
  const socket = join(folder, "s");
  const broker = new Broker(limits);
  const proxy = await startProxy({ socket, allowDomains: [], broker });
  cleanUp.push(() => {
    proxy.end();
    rmSync(folder, { recursive: true });
  });
  const access = broker.access({ kind: "anthropic", baseUrl, credential: ["x-api-key", key], ...api });
  return { broker, socket, access };
}

export async function listening(server: Server, scheme = "http"): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp.push(() => {
    server.close();
    if ("closeAllConnections" in server && typeof server.closeAllConnections === "function")
      server.closeAllConnections();
  });
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An API that keeps the requests that it gets. */
export async function apiOf(answer: RequestListener = (_, outgoing) => outgoing.end("{}")) {
  const requests: Pick<IncomingMessage, "method" | "url" | "headers">[] = [];
  const url = await listening(
    createServer((incoming, outgoing) => {
      requests.push({ method: incoming.method, url: incoming.url, headers: incoming.headers });
      answer(incoming, outgoing);
    }),
  );
  return { url, requests };
}

/** An API that answers each request with these bytes, and closes the connection. */
export function rawApi(response: string): Promise<string> {
  return listening(
    createTcpServer((socket) => {
      socket.on("error", () => {}).once("data", () => socket.end(response, "latin1"));
    }),
  );
}

export interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export function start({ socket, access }: Lab, { path = "/v1/messages", method = "POST", headers, body }: Asked = {}) {
  const sent = { "x-api-key": access.token, ...headers };
  const asking = request({
    socketPath: socket,
    path: path.startsWith("http") ? path : `/model${path}`,
    method,
    headers: sent,
  });
  asking.on("error", () => {});
  asking.end(body);
  return asking;
}

export async function responseTo(asking: ClientRequest): Promise<IncomingMessage> {
  const [response]: IncomingMessage[] = await once(asking, "response");
  if (response === undefined) throw new Error("there is no response");
  return response;
}

/** @returns undefined if the connection was cut off before the answer */
export async function ask(at: Lab, asked?: Asked) {
  const asking = start(at, asked);
  const response = await new Promise<IncomingMessage | undefined>((resolve) => {
    asking.once("response", resolve).once("close", () => resolve(undefined));
  });
  if (response === undefined) return undefined;
  let text = "";
  let isWhole = true;
  response.setEncoding("utf8").on("data", (piece) => {
    text += piece;
  });
  response.on("error", () => {
    isWhole = false;
  });
  await new Promise<void>((resolve) => response.once("close", resolve));
  return { status: response.statusCode, headers: response.headers, text, isWhole };
}
