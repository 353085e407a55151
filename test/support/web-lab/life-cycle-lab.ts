import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import type { WebRecord } from "../../../components/web/agent/record.ts";
import type { WebSpec } from "../../../components/web/agent/spec.ts";
import type { AgentHost } from "../../../components/web/life-cycle/agent-host.ts";
import { applyWeb } from "../../../components/web/life-cycle/apply.ts";
import { type Removal, removeWeb } from "../../../components/web/life-cycle/remove.ts";
import { headOf, Repository } from "../repository.ts";
import { webSpecOf } from "../web-spec.ts";
import { MngrWorld, type WorldAgent } from "./mngr-world.ts";

export interface WebLabOptions {
  readonly world: MngrWorld;
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** Collects what `pulumi up` would print. */
  readonly log: (line: string) => void;
}

/** A provider of web agents, with a separate `MngrWorld`. */
export interface WebLab {
  readonly host: AgentHost;
  /** How an agent differs from what was applied. */
  drift(record: WebRecord | undefined): Promise<string | undefined>;
  /** The local folder of a repo or data. */
  folder(place: string): string;
}

const past = { author: "Somebody", at: "2026-11-21T12:00:00+00:00" };
export const installation = "0123456789ab";

/** Applies, changes and removes web agents of a provider. Each test has a new world, and the changeling `elena`. */
export class LifeCycleLab {
  readonly provider: WebSpec["provider"];
  home!: string;
  world!: MngrWorld;
  lab!: WebLab;
  source!: Repository;
  /** Declares `elena`, with the source's first commit. */
  spec!: WebSpec;
  /** The log of `pulumi up`. */
  lines!: string[];

  constructor(provider: WebSpec["provider"], open: (options: WebLabOptions) => WebLab) {
    this.provider = provider;
    const files = { "page.txt": "1\n2\n3\n4\n5\n", ".gitignore": "ignored\n" };
    beforeEach(() => {
      this.home = mkdtempSync(join(tmpdir(), "web-machines-"));
      this.world = new MngrWorld(this.home);
      this.lines = [];
      const paths = installationPaths(installation, this.home);
      this.lab = open({ world: this.world, installation, paths, log: (line) => this.lines.push(line) });
      this.source = new Repository({ name: "web-machines", make: (repository) => repository.commit(files, past) });
      this.spec = webSpecOf({
        ...{ provider, source: `file://${this.source.folder}`, agentType: "command", agentArgs: ["serve"] },
        ...{ startTimeoutSeconds: 5, commit: headOf(this.source.folder) },
      });
    });
    afterEach(() => {
      this.world.end();
      this.source[Symbol.dispose]();
      rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
    });
  }

  readonly apply = (of: WebSpec, former?: string, secrets: Readonly<Record<string, string>> = {}) =>
    applyWeb(of, former, { secrets, host: this.lab.host });

  readonly remove = (removal: Removal) => removeWeb(removal, this.lab.host);

  readonly read = (name: string) => this.lab.host.records.read(name);

  readonly drift = async (name = "elena") => this.lab.drift(await this.read(name));

  /** Commits to the source. @returns the spec with that commit */
  readonly committed = (files: Parameters<Repository["commit"]>[0]): WebSpec => {
    this.source.commit(files, past);
    return { ...this.spec, commit: headOf(this.source.folder) };
  };

  readonly recorded = async (name = "elena") => {
    const record = await this.read(name);
    if (record === undefined) throw new Error(`there is no record of ${name}`);
    return record;
  };

  /** The only agent in mngr. */
  readonly only = (): WorldAgent => {
    const [agent, ...others] = this.world.agents;
    if (agent === undefined || others.length > 0) throw new Error(`mngr has ${this.world.agents.length} agents`);
    return agent;
  };

  readonly repo = async (name = "elena") => this.lab.folder((await this.recorded(name)).repo);

  readonly git = async (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Elena", "-c", "user.email=e@example.com", ...args], {
      ...{ cwd: await this.repo(), env: this.world.env, encoding: "utf8" },
      stdio: "pipe",
    }).trim();

  readonly page = async (file = "page.txt") => readFileSync(join(await this.repo(), file), "utf8");

  /** Commits as the agent in its repo. @returns the commit */
  readonly commitAsAgent = async (files: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(files)) writeFileSync(join(await this.repo(), path), text);
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--message", "The agent's own");
    return headOf(await this.repo());
  };

  /** Expects that the only agent listens on its reported port. */
  readonly accepts = async (servers: Readonly<Record<string, string>>) => {
    expect(Object.keys(servers)).toEqual(["web"]);
    const port = Number(new URL(servers["web"] ?? "").port);
    expect(this.only().server?.address()).toMatchObject({ port });
  };
}
