import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { request } from "node:http";
import * as z from "zod/mini";
import { messageOf } from "../../../lib/as-error.ts";

/**
 * How nodes prove to each other that they have the cookie, without sending it:
 *
 *     A → B  GET  /cluster/challenge   → { node: B, instance, nonce: n1 }
 *     A → B  POST /cluster/hello         { node: A, to: B, nonce: n1, challenge: n2, proof }    proof: "hello", A, B, n1, n2
 *     A ← B                            → { node: B, version, proof }                            proof: "welcome", B, A, n2, n1, version
 *
 * A proof is the HMAC-SHA-256 of a JSON array, with a key derived from the cookie. The array contains the purpose and both
 * ids, so a proof can't be reflected or used with another node. B proves nothing before A has. A nonce is valid once, and
 * for a few seconds.
 *
 * A man in the middle can relay a greeting to the real B. Then A lists B at the wrong address, and nothing worse happens:
 * no secrets or orders follow a greeting. Nodes agree in the store on what they run.
 */
export interface Authentication {
  /** GET /cluster/challenge. */
  answerChallenge(): Answer;
  /** POST /cluster/hello. */
  answerHello(body: unknown): Answer;
  /** Greets a node at `host:port`. Never rejects. */
  greet(address: string): Promise<Greeted>;
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
}

export type Greeted =
  | { readonly outcome: "peer"; readonly node: string; readonly version: string }
  | { readonly outcome: "itself" }
  | { readonly outcome: "problem"; readonly node?: string; readonly reason: string };

export interface AuthenticationOptions {
  readonly node: string;
  readonly cookie: string;
  /** The version that this node runs. */
  readonly version: () => string;
  /** For one whole greeting, in ms. */
  readonly timeoutMilliseconds?: number;
  /** How long a nonce is valid, in ms. */
  readonly nonceMilliseconds?: number;
  /** A clock that only moves forward, in ms. */
  readonly now?: () => number;
}

/** A shorter cookie could be guessed offline by someone who recorded a greeting. */
const minCookieLength = 16;
/** The maximum size of a hello and of an answer, in bytes. */
export const maxBytes = 4096;

/** @returns why the cookie can't be used, or undefined if it can */
export function cookieProblem(cookie: string): string | undefined {
  if (cookie.trim().length >= minCookieLength) return undefined;
  return `RELEASE_COOKIE needs at least ${minCookieLength} characters: openssl rand -base64 32`;
}

export const nodeName = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/));
const short = z.string().check(z.minLength(1), z.maxLength(200));
const nonce = z.string().check(z.regex(/^[\w-]{16,100}$/));
const proof = z.string().check(z.regex(/^[\w-]{43}$/));
const challenge = z.object({ node: nodeName, instance: short, nonce });
const hello = z.object({ node: nodeName, to: nodeName, nonce, challenge: nonce, proof });
const welcome = z.object({ node: nodeName, version: z.string().check(z.regex(/^v\d{1,15}$/)), proof });

/** @throws if the cookie is too short */
export function authentication(options: AuthenticationOptions): Authentication {
  const { node, cookie, version, timeoutMilliseconds = 3000 } = options;
  const invalid = cookieProblem(cookie);
  if (invalid !== undefined) throw new Error(invalid);
  const instance = randomBytes(12).toString("base64url");
  const key = createHmac("sha256", cookie).update("changelings seed-agent cluster 1").digest();
  const nonces = singleUseNonces(options.nonceMilliseconds ?? 10_000, options.now ?? (() => performance.now()));
  const prove = (...parts: readonly string[]) =>
    createHmac("sha256", key).update(JSON.stringify(parts)).digest("base64url");

  function answerHello(body: unknown): Answer {
    const parsed = hello.safeParse(body);
    if (!parsed.success) return refusal(400, "invalid", "This is not a hello of a seed agent.");
    const { node: from, to, nonce: mine, challenge: theirs, proof: given } = parsed.data;
    if (to !== node || from === node) return refusal(403, "unauthorized", `This node is ${node}.`);
    if (!nonces.isValid(mine)) return refusal(403, "unauthorized", "The nonce is unknown, used or too old.");
    if (!isEqual(given, prove("hello", from, node, mine, theirs)))
      return refusal(403, "unauthorized", "The proof is wrong: is it the same RELEASE_COOKIE?");
    if (!nonces.use(mine)) return refusal(403, "unauthorized", "The nonce is unknown, used or too old.");
    const runs = version();
    return { status: 200, body: { node, version: runs, proof: prove("welcome", node, from, theirs, mine, runs) } };
  }

  async function greet(address: string): Promise<Greeted> {
    const signal = AbortSignal.timeout(timeoutMilliseconds);
    try {
      const asked = await call(address, "/cluster/challenge", undefined, signal);
      if (asked.status !== 200) return { outcome: "problem", reason: `it is not a node: it answers ${asked.status}` };
      const theirs = challenge.safeParse(asked.body);
      if (!theirs.success) return { outcome: "problem", reason: "it is not a node: its challenge is not valid" };
      const peer = theirs.data.node;
      if (theirs.data.instance === instance && peer === node) return { outcome: "itself" };
      if (peer === node)
        return { outcome: "problem", node: peer, reason: `it has this node's id, ${node}: set SEED_NODE` };
      const mine = randomBytes(24).toString("base64url");
      const body = { node, to: peer, nonce: theirs.data.nonce, challenge: mine };
      const given = { ...body, proof: prove("hello", node, peer, theirs.data.nonce, mine) };
      const answered = await call(address, "/cluster/hello", given, signal);
      if (answered.status === 403) return { outcome: "problem", node: peer, reason: "it refuses this node's cookie" };
      const parsed = welcome.safeParse(answered.body);
      if (answered.status !== 200 || !parsed.success)
        return {
          outcome: "problem",
          node: peer,
          reason: `it is not a node: it answers a hello with ${answered.status}`,
        };
      const { node: named, version: runs, proof: shown } = parsed.data;
      if (named !== peer || !isEqual(shown, prove("welcome", peer, node, mine, theirs.data.nonce, runs)))
        return { outcome: "problem", node: peer, reason: "it has another cookie" };
      return { outcome: "peer", node: peer, version: runs };
    } catch (error) {
      const reason = signal.aborted ? `no answer within ${timeoutMilliseconds / 1000} s` : messageOf(error);
      return { outcome: "problem", reason };
    }
  }

  return {
    answerChallenge: () => ({ status: 200, body: { node, instance, nonce: nonces.issue() } }),
    answerHello,
    greet,
  };
}

function refusal(status: number, code: string, message: string): Answer {
  return { status, body: { code, message } };
}

function isEqual(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** A nonce is remembered only when it is used with a valid proof, so that strangers can't fill the memory. */
const maxUsed = 10_000;

/** Nonces that contain their time and a MAC, so that the node does not have to remember the ones it issued. */
export function singleUseNonces(validMilliseconds: number, now: () => number) {
  const key = randomBytes(32);
  const used = new Map<string, number>();
  const mac = (text: string) => createHmac("sha256", key).update(text).digest().subarray(0, 16).toString("base64url");
  const forget = () => {
    for (const [nonce, until] of used) {
      if (until > now()) return;
      used.delete(nonce);
    }
  };
  const isValid = (nonce: string) => {
    const [random, at, given] = split(nonce);
    if (!isEqual(given, mac(`${random}${at}`)) || used.has(nonce)) return false;
    const age = now() - Number.parseInt(at, 36);
    return age >= 0 && age < validMilliseconds;
  };
  return {
    issue(): string {
      const random = randomBytes(16).toString("base64url");
      const at = Math.floor(now()).toString(36).padStart(10, "0");
      return `${random}${at}${mac(`${random}${at}`)}`;
    },
    isValid,
    /** @returns false if the nonce is invalid, or if too many are remembered */
    use(nonce: string): boolean {
      forget();
      if (!isValid(nonce) || used.size >= maxUsed) return false;
      used.set(nonce, now() + validMilliseconds);
      return true;
    },
    size: () => used.size,
  };
}

/** A nonce is 16 random bytes, the time, and 16 bytes of the MAC. */
function split(nonce: string): readonly [string, string, string] {
  return [nonce.slice(0, 22), nonce.slice(22, 32), nonce.slice(32)];
}

/** Follows no redirect, uses no proxy, keeps no connection, and reads at most `maxBytes`. */
function call(
  address: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: unknown }>();
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    accept: "application/json",
    ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
  };
  const method = text === undefined ? "GET" : "POST";
  const sent = request(`http://${address}${path}`, { method, headers, signal, agent: false, maxHeaderSize: 8192 });
  sent.on("error", reject);
  sent.on("response", (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("error", reject);
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) sent.destroy(new Error("it is not a node: its answer is too long"));
      else chunks.push(chunk);
    });
    response.on("end", () => {
      try {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
      } catch {
        reject(new Error(`it is not a node: it answers ${response.statusCode}, and not in JSON`));
      }
    });
  });
  sent.end(text);
  return promise;
}
