import { randomBytes } from "node:crypto";
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from "node:http";
import { Agent, request as secureRequest } from "node:https";
import { createSecureContext, getCACertificates } from "node:tls";
import { messageOf } from "../../lib/as-error.ts";
import { sendBody } from "../../lib/request-body.ts";
import { type ApiAccess, type BrokeredApi, SandboxError } from "../provider.ts";
import { brokerPath, brokerUrl } from "./environment.ts";
import { endToEnd } from "./headers.ts";
import { allowedHeaders, allowedPath, type ModelApi, modelApis } from "./model-apis.ts";
import { Redaction } from "./redaction.ts";

export interface BrokerLimits {
  /** Of a request's body. Anthropic's own limit is 32 MB. */
  readonly maxBodyBytes: number;
  /** Requests of one access at the same time. */
  readonly maxRequests: number;
  /** How long the API may take to accept a connection, in milliseconds. */
  readonly connectMs: number;
}

const standardLimits: BrokerLimits = { maxBodyBytes: 64 * 1024 * 1024, maxRequests: 64, connectMs: 30_000 };
const maxResponseHeaderBytes = 64 * 1024;
/** What is shorter is found by chance in what models write. */
const shortestSecret = 8;

/**
 * Keeps the keys of model APIs outside of one sandbox. Programs in it send their requests to the egress proxy with a token;
 * the broker sends them on with the key. It knows the tokens of its own sandbox only.
 *
 * Like the proxy, it runs in the session service and must survive whatever both sides send. What a program in the sandbox
 * sends is hostile; the API is its owner's choice, but may fail in any way.
 */
export class Broker {
  readonly #limits: BrokerLimits;
  readonly #accesses = new Map<string, Access>();

  constructor(limits: Partial<BrokerLimits> = {}) {
    this.#limits = { ...standardLimits, ...limits };
  }

  /** Whether a program in the sandbox has access to an API now. */
  get isUsed(): boolean {
    return this.#accesses.size > 0;
  }

  /** @throws SandboxError if the URL or a header is not valid */
  access(api: BrokeredApi): ApiAccess {
    const token = `clg-${randomBytes(32).toString("base64url")}`;
    const access = new Access(api, this.#limits);
    this.#accesses.set(token, access);
    const end = () => {
      this.#accesses.delete(token);
      access.end();
    };
    return { url: brokerUrl, token, end };
  }

  /** Ends every access. */
  end(): void {
    for (const access of this.#accesses.values()) access.end();
    this.#accesses.clear();
  }

  /** @param path of the request, which begins with `brokerPath` */
  handle(path: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    try {
      const access = this.#accesses.get(tokenOf(incoming.headers));
      if (access === undefined) return void refuse(outgoing, 401, "this token is not valid, or not any more");
      access.forward(path.slice(brokerPath.length), incoming, outgoing);
    } catch (error) {
      refuse(outgoing, 502, `the request can't be sent to the API: ${messageOf(error)}`);
    }
  }
}

/** The brokers of this process's sandboxes, by the sandbox's id. */
export class Brokers {
  readonly #brokers = new Map<string, Broker>();

  of(id: string): Broker {
    const broker = this.#brokers.get(id) ?? new Broker();
    this.#brokers.set(id, broker);
    return broker;
  }

  end(id: string): void {
    this.#brokers.get(id)?.end();
    this.#brokers.delete(id);
  }
}

/** A prompt's access to one API. */
class Access {
  readonly #base: URL;
  /** The key, and what else is secret in the headers. */
  readonly #secrets: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #allowed: ModelApi;
  readonly #limits: BrokerLimits;
  /** Each cuts off a request that is under way. */
  readonly #requests = new Set<() => void>();

  constructor(api: BrokeredApi, limits: BrokerLimits) {
    const [header, key] = api.credential;
    const base = URL.parse(api.baseUrl);
    if (base === null || !/^https?:$/.test(base.protocol)) {
      throw new SandboxError("api", "the API's base URL is no http or https URL");
    }
    this.#base = base;
    this.#headers = { ...api.headers, [header]: key };
    for (const [name, value] of Object.entries(this.#headers)) checkHeader(name, value);
    this.#secrets = Object.entries(this.#headers).flatMap(([name, value]) => secretIn(name, value));
    this.#allowed = modelApis[api.kind];
    this.#limits = limits;
  }

  end(): void {
    for (const cut of this.#requests) cut();
  }

  forward(wanted: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { maxBodyBytes, maxRequests } = this.#limits;
    const method = incoming.method ?? "";
    const path = allowedPath(this.#allowed, method, wanted);
    if (path === undefined) return void refuse(outgoing, 404, "sandboxes have no access to this part of the API");
    const length = incoming.headers["content-length"];
    if (Number(length ?? 0) > maxBodyBytes) return void refuse(outgoing, 413, tooLarge(maxBodyBytes));
    if (this.#requests.size >= maxRequests) {
      return void refuse(outgoing, 429, `one prompt can make ${maxRequests} requests at the same time`);
    }
    const upstream = this.#request(method, path, {
      ...allowedHeaders(this.#allowed, incoming.headers),
      ...(method === "GET" || length === undefined ? {} : { "content-length": length }),
    });
    const cut = () => {
      upstream.destroy();
      outgoing.destroy();
    };
    this.#requests.add(cut);
    outgoing.once("close", () => {
      this.#requests.delete(cut);
      upstream.destroy();
    });
    upstream.once("response", (response) => this.#answer(response, outgoing));
    upstream.on("error", (error) => {
      // An API may answer before it has read the whole body. What is wrong with its answer is the answer's own error.
      if (!outgoing.headersSent) refuse(outgoing, 502, `no answer from the API: ${messageOf(error)}`);
    });
    // Without an error, for instance after a response with status 101.
    upstream.once("close", () => outgoing.headersSent || refuse(outgoing, 502, "the API closed the connection"));

    if (method === "GET") {
      upstream.end();
      return;
    }
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBodyBytes) return;
      refuse(outgoing, 413, tooLarge(maxBodyBytes));
      upstream.destroy();
    });
    sendBody(incoming, upstream);
  }

  #request(method: string, path: string, headers: Record<string, string>) {
    const base = this.#base;
    const isSecure = base.protocol === "https:";
    const url = new URL(`${base.origin}${base.pathname.replace(/\/+$/, "")}${path}`);
    const options = {
      method,
      // The key could not be redacted from a compressed response.
      headers: { ...headers, "accept-encoding": "identity", ...this.#headers },
      // A kept connection could be closed by the API at the moment at which a request is sent.
      agent: isSecure ? secureAgent() : false,
      maxHeaderSize: maxResponseHeaderBytes,
    };
    // Redirects are not followed.
    const upstream = isSecure ? secureRequest(url, options) : request(url, options);
    const timer = setTimeout(() => upstream.destroy(new Error("it does not answer")), this.#limits.connectMs);
    const clear = () => clearTimeout(timer);
    upstream.once("close", clear);
    // Only connecting is limited: a model may take long to answer.
    upstream.once("socket", (socket) => socket.once(isSecure ? "secureConnect" : "connect", clear));
    return upstream;
  }

  #answer(response: IncomingMessage, outgoing: ServerResponse): void {
    response.on("error", () => outgoing.destroy());
    const status = response.statusCode ?? 0;
    const fail = (code: number, reason: string) => {
      refuse(outgoing, code, reason);
      response.destroy();
    };
    if (status >= 300 && status < 400) {
      const to = URL.parse(response.headers.location ?? "", this.#base.href)?.origin ?? "nowhere";
      return void fail(502, `the API redirects to ${to}: correct base_url`);
    }
    // Some APIs repeat a part of the key that they reject.
    if (status === 401) return void fail(401, "the API rejects the key");
    const encoding = response.headers["content-encoding"] || "identity";
    if (encoding !== "identity") return void fail(502, "the API compresses its response, which was not requested");
    try {
      outgoing.writeHead(status, { ...responseHeaders(response.headers, this.#secrets), ...connection(outgoing) });
    } catch (error) {
      // Node parses some responses that it refuses to send, such as one with status 000.
      return void fail(502, `the API's response is invalid: ${messageOf(error)}`);
    }
    // A stream's first event may come later.
    outgoing.flushHeaders();
    response.pipe(new Redaction(this.#secrets)).pipe(outgoing);
  }
}

/** The credential in a header, without its scheme. What other headers contain, such as a team's name, is not secret. */
function secretIn(name: string, value: string): string[] {
  const secret = value.replace(/^[a-z]+ +/i, "").trim();
  return /auth|key|token|secret|password|cookie/i.test(name) && secret.length >= shortestSecret ? [secret] : [];
}

function responseHeaders(headers: IncomingHttpHeaders, secrets: readonly string[]): IncomingHttpHeaders {
  const hasSecret = (line: string) => secrets.some((secret) => line.toLowerCase().includes(secret.toLowerCase()));
  return Object.fromEntries(
    Object.entries(endToEnd(headers)).filter(
      ([name, value]) => name !== "set-cookie" && name !== "transfer-encoding" && !hasSecret(`${name}: ${value}`),
    ),
  );
}

/** @throws SandboxError without its cause, which could contain the value */
function checkHeader(name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new SandboxError("api", `the value for the header ${name} contains a line break, or the name is invalid`);
  }
}

function tokenOf(headers: IncomingHttpHeaders): string {
  const key = headers["x-api-key"];
  if (typeof key === "string" && key !== "") return key;
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
}

const errorTypes: Readonly<Record<number, string>> = {
  401: "authentication_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
};

/** Responds with an error, in a form that both APIs have. */
function refuse(outgoing: ServerResponse, status: number, message: string): void {
  if (outgoing.headersSent) {
    if (!outgoing.writableEnded) outgoing.destroy();
    return;
  }
  const type = errorTypes[status] ?? "api_error";
  const body = JSON.stringify({ type: "error", error: { type, message, code: type, param: null } });
  outgoing.writeHead(status, { "content-type": "application/json", ...connection(outgoing) }).end(body);
}

/**
 * The connection is closed after the response, because a client could send its next request while an idle connection is
 * being closed. It is kept while the body is still being sent: the system would reset it, and the client miss the response.
 */
function connection({ req }: ServerResponse): { connection?: "close" } {
  return req.complete ? { connection: "close" } : {};
}

function tooLarge(maxBodyBytes: number): string {
  return `a request may have at most ${maxBodyBytes} bytes`;
}

let agent: Agent | undefined;

/** Trusts the authorities that this machine trusts, as the CLIs do: for instance that of a company's gateway. */
function secureAgent(): Agent {
  agent ??= new Agent({
    secureContext: createSecureContext({ ca: [...getCACertificates("default"), ...getCACertificates("system")] }),
  });
  return agent;
}
