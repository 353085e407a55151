import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { DeclaredCron } from "../../components/cron/declared.ts";
import { formatDiagnostics, type LocatedDiagnostic } from "../../components/fleet/diagnostics.ts";
import type { LoadContext } from "../../components/fleet/kind.ts";
import { type Fleet, type LoadedFleet, loadFleet } from "../../components/kinds.ts";
import type { DeclaredWeb } from "../../components/web/declared.ts";
import type { Forwarding } from "../../components/web/forwarding/declared.ts";
import { fillOnce } from "./made-once.ts";

/** Its cron changelings. */
export function crons(fleet: Fleet | undefined): DeclaredCron[] {
  return (fleet?.changelings ?? []).filter((changeling) => changeling.kind === "cron");
}

/** Its web changelings. */
export function webs(fleet: Fleet | undefined): DeclaredWeb[] {
  return (fleet?.changelings ?? []).filter((changeling) => changeling.kind === "web");
}

/** The meaning of a fleet file without `[forwarding]`. */
export const usualForwarding: Forwarding = {
  provider: "local",
  port: 8420,
  host: "127.0.0.1",
  publicUrl: undefined,
  routing: "host",
  codeTtlSeconds: 900,
  cookieTtlSeconds: 2_592_000,
  responseTimeoutSeconds: 600,
  trustedProxies: [],
  buildArgs: [],
};

/** The meaning of a fleet file without its own keys, by kind. */
export const usualSettings: Fleet["settings"] = {
  cron: { maxRunsAtOnce: undefined },
  web: { forwarding: usualForwarding },
  sandbox: { cloudflare: undefined, page: {} },
  "seed-agent": {},
};

/** A folder with its own home, isolated from the user's. Removed by `using`. */
export class Sandbox implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "fleet-")));
  readonly home = join(this.folder, "home");
  readonly file = join(this.folder, "config.toml");
  readonly environment = {
    PATH: process.env["PATH"],
    HOME: this.home,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
  };

  constructor() {
    mkdirSync(this.home);
  }

  /** A repository with one commit on each branch. */
  repo(name: string, branches: readonly string[] = ["main"]): string {
    const path = join(this.folder, name);
    fillOnce(path, `branches-${encodeURIComponent(branches.join(" "))}`, (folder) => {
      this.git("init", "--quiet", "--initial-branch", branches[0] ?? "main", folder);
      const identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
      if (branches.length > 0) this.git("-C", folder, ...identity, "commit", "--quiet", "--allow-empty", "-m", "First");
      for (const branch of branches.slice(1)) this.git("-C", folder, "branch", branch);
    });
    return path;
  }

  git(...args: string[]): string {
    return execFileSync("git", args, { env: this.environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  write(path: string, text: string, mode = 0o600): string {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
    return file;
  }

  context(context: Partial<LoadContext> = {}): LoadContext {
    const { home, folder, environment } = this;
    return { ci: false, home, folder, machineTimezone: () => "Europe/Berlin", environment, ...context };
  }

  /** Loads the text as the fleet file. */
  load(text: string, context: Partial<LoadContext> = {}): Promise<LoadedFleet> {
    this.write("config.toml", text);
    return loadFleet({ file: this.file, context: this.context(context) });
  }

  /** An environment whose git counts its calls. */
  countedGit(): { readonly environment: LoadContext["environment"] & object; readonly calls: () => number } {
    const log = this.write("git-calls", "");
    const real = join(this.git("--exec-path").trim(), "git");
    const shim = this.write("bin/git", `#!/bin/sh\necho x >> "${log}"\nexec "${real}" "$@"\n`);
    chmodSync(shim, 0o755);
    return {
      environment: { ...this.environment, PATH: `${dirname(shim)}:${process.env["PATH"]}` },
      calls: () => readFileSync(log, "utf8").length / 2,
    };
  }

  /** The diagnostics as users read them, line by line, with this folder as the current one. */
  words(diagnostics: readonly LocatedDiagnostic[]): string[] {
    const text = formatDiagnostics(diagnostics, this.folder).replaceAll(this.folder, "<folder>");
    return text === "" ? [] : text.split("\n").map((line) => line.trim());
  }

  async diagnosticsOf(text: string, context: Partial<LoadContext> = {}): Promise<string[]> {
    return this.words((await this.load(text, context)).diagnostics);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
