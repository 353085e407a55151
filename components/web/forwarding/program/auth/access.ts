import { randomBytes } from "node:crypto";
import type { Log } from "../../../../host/log.ts";
import { CodeStore } from "./code-store.ts";
import { type Cookie, cookiePrefix, cookieValues } from "./cookies.ts";
import { EndedSessions } from "./ended-sessions.ts";
import { KeyFile } from "./key-file.ts";
import { type Audience, hiddenName, isSameText, loginKeyOf, type Session, signed, verified } from "./signing.ts";
import type { Unsaved } from "./state-file.ts";
import { SteadyClock } from "./steady-clock.ts";
import { Tickets } from "./tickets.ts";

/** Controls access to agents: one-time codes become sessions, and sessions are cookies. */
export interface Access {
  /** A new one-time code for an agent: 256 random bits, base64url. */
  mint(agentId: string): { readonly code: string; readonly expiresAt: Date };
  /**
   * Marks a code as used on disk, then returns its session.
   * @throws if the code can't be marked
   */
  redeem(agentId: string, code: string): Session | undefined;
  /** Ends the codes and sessions of an agent even if that can't be saved; returns what could not be saved. */
  revoke(agentId: string): Unsaved | undefined;
  /** Whether a session has expired or was ended. */
  isOver(session: Session): boolean;
  /** Ends one session on every origin. */
  end(session: Session): Unsaved | undefined;
  /** Ends every session of every agent. Codes stay valid. */
  rotateKey(): Unsaved | undefined;
  cookie(agentId: string, audience: Audience, session: Session, domain?: string): Cookie;
  /** Name of the agent's cookie. */
  cookieName(agentId: string, audience?: Audience): string;
  /**
   * The key that a browser must show with the main origin's cookie, because other ports of the host receive that
   * cookie.
   */
  loginKey(agentId: string, session: Session): string;
  /** Whether a browser that shows the main origin's cookie of this session also has its key. */
  isLoginKey(agentId: string, session: Session, key: string): boolean;
  /** The session in a request's `Cookie` header for an agent; undefined if none of its cookies is valid. */
  session(agentId: string, audience: Audience, cookieHeader: string | undefined): Session | undefined;
  /**
   * A one-time ticket, valid for 30 s and bound to `boundTo`. It carries a session from the main origin to the agent's
   * own.
   */
  ticket(agentId: string, session: Session, boundTo?: string): string;
  /** @param boundTo the browser's values; the ticket must be bound to one of these */
  redeemTicket(agentId: string, ticket: string, boundTo?: readonly string[]): Session | undefined;
}

export interface AccessOptions {
  /** Contains `key`, `codes.json` and `sessions.json`. The caller holds the forwarding server's lock. */
  readonly folder: string;
  readonly codeTtlSeconds: number;
  readonly cookieTtlSeconds: number;
  /** Whether TLS is in use. Then cookies are sent over https only. */
  readonly isSecure: boolean;
  /** Whether each agent has its own host. Then the main origin's cookies only serve its own pages. */
  readonly hasAgentHosts?: boolean;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds since any point, by a monotonic clock. */
  readonly elapsed?: () => number;
}

/** The number of verified cookies that are cached, so that they are not verified again on each request. */
const mostSeen = 1000;

export function openAccess({
  folder,
  log,
  isSecure,
  hasAgentHosts = false,
  now = Date.now,
  elapsed,
  ...ttl
}: AccessOptions): Access {
  const clock = new SteadyClock(now, elapsed);
  const endedSessions = new EndedSessions(folder, clock, log);
  const steadyNow = () => clock.now();
  const codes = new CodeStore(folder, steadyNow, log);
  const tickets = new Tickets(steadyNow);
  const seen = new Map<string, Session>();
  // Without the list of ended sessions, a revoked cookie would be valid again. A new key invalidates all cookies.
  const keyFile = new KeyFile(folder, log, { isTrusted: !endedSessions.isNew });

  function verify(agentId: string, audience: Audience, value: string): Session | undefined {
    const text = `${audience} ${agentId} ${value}`;
    const known = seen.get(text);
    if (known !== undefined) return endedSessions.isOver(known) ? undefined : known;
    const purpose = { agentId, audience, revocations: endedSessions.revocations(agentId) };
    const session = verified(keyFile.key, purpose, value);
    if (session === undefined || endedSessions.isOver(session)) return undefined;
    if (seen.size >= mostSeen) seen.clear();
    seen.set(text, session);
    return session;
  }

  const cookieName = (agentId: string, audience: Audience = "main"): string => {
    const prefix = cookiePrefix(isSecure, { hasDomain: audience === "agent" });
    return `${prefix}changeling_${hasAgentHosts ? hiddenName(keyFile.key, agentId) : agentId}`;
  };
  const loginKey: Access["loginKey"] = (agentId, session) => loginKeyOf(keyFile.key, agentId, session);

  return {
    mint(agentId) {
      const code = codes.mint(agentId, ttl.codeTtlSeconds);
      // Shown to a user, so it uses the wall clock.
      return { code, expiresAt: new Date(now() + ttl.codeTtlSeconds * 1000) };
    },
    redeem(agentId, code) {
      if (!codes.redeem(agentId, code)) return undefined;
      return { id: randomBytes(16).toString("base64url"), expiresAt: clock.now() + ttl.cookieTtlSeconds * 1000 };
    },
    revoke(agentId) {
      seen.clear();
      tickets.drop(agentId);
      const unsaved = [endedSessions.revoke(agentId), codes.revoke(agentId)];
      return unsaved.find((each) => each?.isOldGone === false) ?? unsaved.find((each) => each !== undefined);
    },
    end(session) {
      seen.clear();
      return endedSessions.end(session);
    },
    isOver: (session) => endedSessions.isOver(session),
    rotateKey() {
      seen.clear();
      tickets.drop(undefined);
      return keyFile.rotate();
    },
    cookie(agentId, audience, session, domain) {
      const purpose = { agentId, audience, revocations: endedSessions.revocations(agentId) };
      const value = signed(keyFile.key, purpose, session);
      const maxAgeSeconds = Math.max(0, Math.round((session.expiresAt - clock.now()) / 1000));
      // Agents are linked from anywhere, but only the main origin's own pages need its cookie.
      const own = hasAgentHosts && audience === "main" ? { isForLinks: false } : {};
      return { name: cookieName(agentId, audience), value, maxAgeSeconds, domain, ...own };
    },
    cookieName,
    session(agentId, audience, cookieHeader) {
      for (const value of cookieValues(cookieHeader, cookieName(agentId, audience))) {
        const session = verify(agentId, audience, value);
        if (session !== undefined) return session;
      }
      return undefined;
    },
    loginKey,
    isLoginKey: (agentId, session, key) => isSameText(loginKey(agentId, session), key),
    ticket: (agentId, session, boundTo = "") => tickets.issue(agentId, session, boundTo),
    redeemTicket(agentId, ticket, boundTo = [""]) {
      const session = tickets.redeem(agentId, ticket, boundTo);
      return session === undefined || endedSessions.isOver(session) ? undefined : session;
    },
  };
}
