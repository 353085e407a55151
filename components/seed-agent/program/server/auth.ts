import { createHash, timingSafeEqual } from "node:crypto";
import { Problem } from "./problem.ts";

/** A shorter token could be guessed: the number of attempts is limited only per address. */
const minTokenLength = 16;

export interface Tokens {
  readonly control?: string | undefined;
  readonly metrics?: string | undefined;
}

export interface Attempt {
  readonly authorization: string | undefined;
  /** The address of the connection. Headers of a proxy could be forged. */
  readonly address: string;
}

/** `control` needs the control token, `metrics` either token. */
export type Right = "control" | "metrics";

/**
 * Checks bearer tokens. Wrong ones are counted by address: after `limit` within `windowMilliseconds`, the answer is 429. A
 * right token always passes. Otherwise anybody behind the same proxy could lock the owner out.
 */
export function bearerTokens(
  tokens: Tokens,
  { limit = 10, windowMilliseconds = 60_000, now = Date.now, onFailure = (_address: string) => {} } = {},
): (right: Right, attempt: Attempt) => void {
  const control = digestOf("SEED_CONTROL_TOKEN", tokens.control);
  const metrics = digestOf("SEED_METRICS_TOKEN", tokens.metrics);
  const failures = failedAttempts(limit, windowMilliseconds, now);
  return (right, { authorization, address }) => {
    const accepted = right === "control" ? [control] : [control, metrics];
    const digests = accepted.flatMap((each) => ("digest" in each ? [each.digest] : []));
    if (digests.length === 0) {
      const reasons = accepted.flatMap((each) => ("problem" in each ? [each.problem] : []));
      throw new Problem("unavailable", reasons.join(" "));
    }
    const given = /^bearer +([^\s]+) *$/i.exec(authorization ?? "")?.[1];
    if (given !== undefined) {
      const digest = sha256(given);
      // Compares with all tokens, so that the time does not show which one matches.
      const matches = digests.map((each) => timingSafeEqual(each, digest));
      if (matches.includes(true)) return;
    }
    const wait = failures.add(group(address), given !== undefined);
    if (wait !== undefined) {
      throw new Problem("too many attempts", "Too many wrong tokens from this address. Try again later.", {
        "retry-after": String(Math.ceil(wait / 1000)),
      });
    }
    if (given !== undefined) onFailure(address);
    const names = right === "control" ? "SEED_CONTROL_TOKEN" : "SEED_METRICS_TOKEN or SEED_CONTROL_TOKEN";
    const what = given === undefined ? "This needs a token" : "This is not the token";
    throw new Problem("unauthorized", `${what}: send "Authorization: Bearer <token>" with the value of ${names}.`, {
      "www-authenticate": 'Bearer realm="seed-agent"',
    });
  };
}

function digestOf(name: string, token: string | undefined): { digest: Buffer } | { problem: string } {
  if (token === undefined) return { problem: `${name} is not set, so nobody has access. Set it, and restart.` };
  if (token.length < minTokenLength) {
    return { problem: `${name} is shorter than ${minTokenLength} characters. Set a longer one, and restart.` };
  }
  return { digest: sha256(token) };
}

/** Digests have equal lengths, which `timingSafeEqual` requires, and hide the length of the token. */
function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** An IPv6 host usually has a whole /64, so all addresses of one are counted together. */
function group(address: string): string {
  const v4 = /(?:^|:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  const [head = [], tail] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array<string>(Math.max(0, zeros)).fill("0"), ...(tail ?? [])].slice(0, 4).join(":");
}

const maxAddresses = 10_000;

function failedAttempts(limit: number, windowMilliseconds: number, now: () => number) {
  const counts = new Map<string, { count: number; since: number }>();
  return {
    /** @returns how many ms are left of the window if the address has used up its attempts */
    add(address: string, isAttempt: boolean): number | undefined {
      const at = now();
      let entry = counts.get(address);
      if (entry === undefined || at - entry.since >= windowMilliseconds) entry = { count: 0, since: at };
      if (isAttempt) {
        counts.delete(address);
        // The oldest is forgotten first.
        for (const first of counts.keys()) {
          if (counts.size < maxAddresses) break;
          counts.delete(first);
        }
        counts.set(address, { ...entry, count: entry.count + 1 });
      }
      const { count, since } = counts.get(address) ?? entry;
      return isAttempt && count > limit ? windowMilliseconds - (at - since) : undefined;
    },
  };
}
