import type { ModalClient } from "modal";
import * as z from "zod/mini";
import { ModalError, quotaRemedy, unreachableRemedy, wrongTokenRemedy } from "./modal-error.ts";
import { noTokenRemedy } from "./token.ts";
import type { ModalOptions } from "./types.ts";

/** Sends requests through Modal's TypeScript SDK. Every request settles within its timeout. */
export interface ModalRpc {
  /**
   * @param what the requested thing, for the error: "the apps of main"
   * @param seconds the timeout; by default that of a read
   * @throws ModalError
   */
  ask<Answer>(what: string, request: Request<Answer>, seconds?: number): Promise<Answer>;
  /** The same, but returns undefined if the thing does not exist. */
  find<Answer>(what: string, request: Request<Answer>, seconds?: number): Promise<Answer | undefined>;
}

type Request<Answer> = (client: ModalClient, options: { signal: AbortSignal }) => Promise<Answer>;

const timeoutSeconds = 15;

export function modalRpc(options: ModalOptions): ModalRpc {
  let client: Promise<ModalClient> | undefined;
  const ask: ModalRpc["ask"] = async (what, request, seconds = timeoutSeconds) => {
    client ??= connect(options);
    const abort = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    // Some calls of the SDK wait forever, and ignore the signal.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        abort.abort();
        reject(new ModalError("unreachable", `${inWords(what)}: no answer within ${seconds} s`, unreachableRemedy));
      }, seconds * 1000);
    });
    try {
      return await Promise.race([client.then((connected) => request(connected, { signal: abort.signal })), late]);
    } catch (error) {
      throw modalError(what, error);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    ask,
    async find(what, request, seconds) {
      try {
        return await ask(what, request, seconds);
      } catch (error) {
        if (error instanceof ModalError && error.kind === "not_found") return undefined;
        throw error;
      }
    },
  };
}

async function connect({ token, env }: ModalOptions): Promise<ModalClient> {
  if (token === undefined) throw new ModalError("no_token", "no Modal token is set", noTokenRemedy);
  const { ModalClient } = await import("modal");
  // The SDK reads the server's URL only from this process's environment, when it is constructed.
  const own = process.env["MODAL_SERVER_URL"];
  try {
    if (env["MODAL_SERVER_URL"]) process.env["MODAL_SERVER_URL"] = env["MODAL_SERVER_URL"];
    return new ModalClient({ tokenId: token.id, tokenSecret: token.secret, logLevel: "error" });
  } finally {
    if (own === undefined) delete process.env["MODAL_SERVER_URL"];
    else process.env["MODAL_SERVER_URL"] = own;
  }
}

/** An error from Modal's server: gRPC's status code, and the server's message. */
const serverError = z.object({ code: z.number(), details: z.string() });

const kinds = new Map<number, ModalError["kind"]>([
  [4, "unreachable"], // DEADLINE_EXCEEDED
  [5, "not_found"],
  [6, "exists"],
  [7, "wrong_token"], // PERMISSION_DENIED
  [8, "quota"], // RESOURCE_EXHAUSTED
  [14, "unreachable"], // UNAVAILABLE
  [16, "wrong_token"], // UNAUTHENTICATED
]);

/** The SDK's own classes, which are available only once the SDK is loaded. */
const kindsOfSdk = new Map<string, ModalError["kind"]>([
  ["NotFoundError", "not_found"],
  ["AlreadyExistsError", "exists"],
  ["ResourceExhaustedError", "quota"],
]);

const remedies: Partial<Record<ModalError["kind"], string>> = {
  quota: quotaRemedy,
  unreachable: unreachableRemedy,
  wrong_token: wrongTokenRemedy,
};

function modalError(what: string, error: unknown): ModalError {
  if (error instanceof ModalError) return error;
  const { data } = serverError.safeParse(error);
  const said = inShort(data?.details ?? (error instanceof Error ? error.message : String(error)));
  const kind = data !== undefined ? kinds.get(data.code) : kindsOfSdk.get(error instanceof Error ? error.name : "");
  return new ModalError(kind ?? "other", `${inWords(what)}: ${said}`, kind === undefined ? undefined : remedies[kind]);
}

/** Most of gRPC's message is noise around the actual reason. */
function inShort(said: string): string {
  const [, cause] = /^No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note: /s.exec(said) ?? [];
  return cause ?? said;
}

function inWords(what: string): string {
  return `Modal was asked for ${what}`;
}
