import type { ClientRequest } from "node:http";

/** Why an agent gave no response. */
export interface Failure {
  readonly kind: "bad-gateway" | "timeout";
  /** A sentence about the agent's server, without the full stop. */
  readonly reason: string;
  /** Nothing listens at the known address, so it may be outdated. */
  readonly isUnreachable: boolean;
  /** The connection had served another request before. */
  readonly wasReused: boolean;
  /** Nothing was sent, so the whole request can still be sent elsewhere. */
  readonly isUnsent: boolean;
}

/** @param isSending whether part of the body may have been sent */
export function failureOf(error: Error, outgoing: ClientRequest, { isSending }: { isSending: boolean }): Failure {
  const code = "code" in error ? String(error.code) : "";
  const syscall = "syscall" in error ? String(error.syscall) : "";
  // Node reports one error for each address of a name.
  const isRefused = error instanceof AggregateError || syscall === "connect" || syscall === "getaddrinfo";
  const isCut = code === "ECONNRESET" || code === "EPIPE";
  // An open tunnel closes the connection like this if nothing listens at its remote end.
  const isSilent = isCut && (outgoing.socket?.bytesRead ?? 0) === 0;
  return {
    kind: "bad-gateway",
    reason: reasonOf(code, error, { isRefused, isCut }),
    isUnreachable: isRefused || isSilent,
    wasReused: outgoing.reusedSocket,
    isUnsent: isRefused && !isSending,
  };
}

export function timeoutFailure(timeoutMs: number): Failure {
  const reason = `its server has not answered within ${timeoutMs / 1000} seconds`;
  return { kind: "timeout", reason, isUnreachable: false, wasReused: false, isUnsent: false };
}

function reasonOf(code: string, error: Error, { isRefused, isCut }: { isRefused: boolean; isCut: boolean }): string {
  if (isRefused) return `nothing answers at its server's address (${code || error.message})`;
  if (isCut) return "its server closed the connection without an answer";
  if (code === "HPE_HEADER_OVERFLOW") return "the headers of its server's response are too large";
  if (code.startsWith("HPE_")) return malformed(error);
  return `the connection to its server failed (${code || error.message})`;
}

export function malformed(error: unknown): string {
  return `its server sent a malformed response (${error instanceof Error ? error.message : error})`;
}
