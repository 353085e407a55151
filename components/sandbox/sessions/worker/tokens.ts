import { personHeader, personName, type Role } from "../protocol.ts";
import { RequestError } from "./queue.ts";
import type { PersonRow } from "./store.ts";

/** Who makes a request. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
  /** The owner of the installation, who may do everything. */
  readonly isInstallationOwner: boolean;
}

/** The hashes of valid tokens that were used recently. */
const known = new Map<string, string>();
const mostKnown = 1_000;

/** @throws RequestError `unauthorized` */
export async function callerOf(request: Request, ownerHash: string, people: readonly PersonRow[]): Promise<Caller> {
  const token = tokenIn(request);
  if (token === undefined) throw new RequestError("unauthorized", "the request has no bearer token");
  const hash = known.get(token) ?? (await hashOf(token));
  // All hashes are compared, each in constant time, so that the time reveals nothing.
  const isOwner = isSame(hash, ownerHash);
  const found = people.filter((person) => isSame(hash, person.hash));
  // Only valid tokens, so that nobody can fill the map with others.
  if ((isOwner || found.length > 0) && known.size < mostKnown) known.set(token, hash);
  if (isOwner) return { name: nameIn(request), role: "owner", isInstallationOwner: true };
  const [person] = found;
  if (person === undefined) throw new RequestError("unauthorized", "the bearer token is not valid for this session");
  return { name: person.name, role: person.role, isInstallationOwner: false };
}

/** Whether a request carries the token of this hash. */
export async function hasToken(request: Request, hash: string): Promise<boolean> {
  const token = tokenIn(request);
  return token !== undefined && isSame(await hashOf(token), hash);
}

function tokenIn({ headers }: Request): string | undefined {
  return /^Bearer ([\w-]{20,200})$/.exec(headers.get("authorization") ?? "")?.[1];
}

function nameIn({ headers }: Request): string {
  const header = headers.get(personHeader);
  if (header === null) return "owner";
  try {
    return personName.parse(decodeURIComponent(header));
  } catch {
    throw new RequestError("bad_request", `${personHeader} is not a valid name`);
  }
}

export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** SHA-256 in hexadecimal. A token has 256 random bits, so it needs no salt and no slow hash. */
export async function hashOf(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isSame(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
}
