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

/** What a cookie is for; signed with it, but it does not stand in it. */
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

/** @returns undefined for what was not signed with this key for this purpose, in every bit */
export function verified(key: Buffer, purpose: Purpose, value: string): Session | undefined {
  const [, expires, id, given] = form.exec(value) ?? [];
  if (expires === undefined || id === undefined || given === undefined) return undefined;
  // Texts are compared, not the bytes that they stand for: base64url has more than one text for the same bytes.
  const wanted = Buffer.from(mac(key, purpose, `${expires}.${id}`));
  if (!timingSafeEqual(wanted, Buffer.from(given))) return undefined;
  return { id, expiresAt: Number.parseInt(expires, 36) };
}

function mac(key: Buffer, { agentId, audience, revocations }: Purpose, text: string): string {
  const signedText = ["changeling 1", agentId, audience, revocations, text].join("\n");
  return createHmac("sha256", key).update(signedText).digest("base64url");
}
