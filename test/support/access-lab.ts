import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { type Access, openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import type { Session } from "../../components/web/forwarding/program/auth/signing.ts";

export const ada = `agent-${"a".repeat(32)}`;
export const bob = `agent-${"b".repeat(32)}`;

/** Who may come in, with a folder and a clock of its own for each test. */
export class AccessLab {
  folder = "";
  /** Milliseconds since 1970. */
  now = 0;
  /** Milliseconds that have passed, whatever the clock says; a test that moves `now` on need not move it. */
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

  /** As after a start of the server; the folder stays. */
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

/** As a browser sends its cookie. */
export function header(access: Access, session: Session, audience: "main" | "agent" = "main", agentId = ada): string {
  const { name, value } = access.cookie(agentId, audience, session);
  return `${name}=${value}`;
}
