import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { type Access, openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import type { Session } from "../../components/web/forwarding/program/auth/signing.ts";

export const ada = `agent-${"a".repeat(32)}`;
export const bob = `agent-${"b".repeat(32)}`;

/** Access control, with its own folder and clock for each test. */
export class AccessLab {
  folder = "";
  /** Milliseconds since 1970. */
  now = 0;
  /** Milliseconds that have passed, whatever the clock says. A test that advances `now` need not change it. */
  elapsed = 0;
  log: string[] = [];

  constructor() {
    beforeEach(() => {
      this.folder = mkdtempSync(join(tmpdir(), "access-"));
      this.elapsed = 0;
      this.now = Date.parse("2026-11-21T05:00:00Z");
      this.log = [];
    });
    afterEach(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** Opens it as after a restart of the server; the folder remains. */
  open(isSecure = false): Access {
    const log = (line: string) =>
      void this.log.push(line.replaceAll(this.folder, "<folder>").replace(/\d{13}/, "<time>"));
    const { folder } = this;
    return openAccess({
      folder,
      codeTtlSeconds: 900,
      cookieTtlSeconds: 3600,
      isSecure,
      log,
      now: () => this.now,
      elapsed: () => this.elapsed,
    });
  }
}

export function login(access: Access, agentId = ada): Session {
  const session = access.redeem(agentId, access.mint(agentId).code);
  if (session === undefined) throw new Error("a fresh code was refused");
  return session;
}

/** The cookie as a browser sends it. */
export function header(access: Access, session: Session, audience: "main" | "agent" = "main", agentId = ada): string {
  const { name, value } = access.cookie(agentId, audience, session);
  return `${name}=${value}`;
}
