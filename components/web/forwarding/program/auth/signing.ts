import { createHmac, timingSafeEqual } from "node:crypto";

/** Which origin a cookie is for: the main one, or one of the agent's own. */
export type Audience = "main" | "agent";

/** One login of one browser to one agent. Its cookies end with it, on every origin. */
export interface Session {
  /** 128 random bits, base64url. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A cookie's purpose, which is signed with it but not part of it. */
export interface Purpose {
  readonly agentId: string;
  readonly audience: Audience;
  /** How often the agent's logins were revoked. */
  readonly revocations: number;
}

const form = /^([0-9a-z]{1,11})\.([\w-]{22})\.([\w-]{43})$/;

/** @returns a cookie's value */
export function signed(key: Buffer, purpose: Purpose, { id, expiresAt }: Session): string {
  const text = `${expiresAt.toString(36)}.${id}`;
  return `${text}.${mac(key, purpose, text)}`;
}

/** @returns undefined unless every bit was signed with this key for this purpose */
export function verified(key: Buffer, purpose: Purpose, value: string): Session | undefined {
  const [, expires, id, given] = form.exec(value) ?? [];
  if (expires === undefined || id === undefined || given === undefined) return undefined;
  // Compares the texts, not the bytes: several base64url texts decode to the same bytes.
  const wanted = Buffer.from(mac(key, purpose, `${expires}.${id}`));
  if (!timingSafeEqual(wanted, Buffer.from(given))) return undefined;
  return { id, expiresAt: Number.parseInt(expires, 36) };
}

/** The key that a browser shows in addition to its cookie. It is stored where only pages of one origin can read it. */
export function loginKeyOf(key: Buffer, agentId: string, { id, expiresAt }: Session): string {
  const signedText = ["changeling login key 1", agentId, id, expiresAt].join("\n");
  return createHmac("sha256", key).update(signedText).digest("base64url");
}

/** A name that does not reveal the agent without the key. */
export function hiddenName(key: Buffer, agentId: string): string {
  return createHmac("sha256", key).update(`changeling cookie name 1\n${agentId}`).digest("hex").slice(0, 32);
}

export function isSameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function mac(key: Buffer, { agentId, audience, revocations }: Purpose, text: string): string {
  const signedText = ["changeling 1", agentId, audience, revocations, text].join("\n");
  return createHmac("sha256", key).update(signedText).digest("base64url");
}
