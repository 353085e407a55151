import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ResolvedChangeling } from "../../components/fleet/kind.ts";
import { kinds, loadFleet } from "../../components/kinds.ts";
import type { DeployableKind, Deployment } from "../../components/stack/deployment.ts";
import { brokenRules, type DeploymentLab, mockEngine } from "./deployment.ts";

/** The table of a changeling on this machine. A kind that is not here fails. */
const tables: Readonly<Record<string, readonly string[]>> = {
  cron: ['schedule = "0 5 * * *"', 'agent_type = "command"', 'agent_args = ["true"]', 'repo = "~/app"'],
  web: ['source = "~/app"', 'agent_type = "command"'],
  sandbox: ['repo = "~/app"'],
  "seed-agent": [],
};

let home: string;
let calls: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "deployment-"));
  calls = join(home, "calls");
  const [bin, app] = [join(home, "bin"), join(home, "app")];
  for (const folder of [bin, app]) mkdirSync(folder);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Me", "-c", "user.email=me@example.com", ...args], { cwd: app });
  git("init", "--quiet", "--initial-branch=main");
  git("commit", "--quiet", "--allow-empty", "--message", "Begin");
  const programs = { mngr: `echo '{"agents":[],"errors":[]}'`, docker: "exit 1", pulumi: "echo '{}'" };
  const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
  for (const [name, script] of Object.entries({ ...programs, git: `exec ${real} "$@"` })) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>'${calls}'\n${script}\n`, { mode: 0o755 });
  }
  vi.stubEnv("HOME", home);
  vi.stubEnv("MNGR_HOST_DIR", join(home, ".mngr"));
  vi.stubEnv("PULUMI_BACKEND_URL", `file://${home}`);
  vi.stubEnv("PATH", `${bin}${delimiter}${process.env["PATH"]}`);
  await mockEngine();
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

const processes = () => (existsSync(calls) ? readFileSync(calls, "utf8").split("\n").length - 1 : 0);

let fleets = 0;
async function fleetOf(kind: string, count: number, enabled: boolean) {
  fleets += 1;
  const file = join(home, `fleet-${fleets}.toml`);
  const table = (name: string, at: number) => [
    ...[`[changelings.${name}]`, `kind = "${kind}"`, `enabled = ${enabled}`, 'secrets = ["KEY"]'],
    ...(tables[kind] ?? ["no_table = true"]),
    ...(kind === "seed-agent" ? [`port = ${4000 + 10 * fleets + at}`] : []),
  ];
  const names = Array.from({ length: count }, (_, at) => `f${fleets}x${at}`);
  writeFileSync(file, names.map((name, at) => table(name, at).join("\n")).join("\n"));
  const context = { home, ci: false, machineTimezone: () => "Europe/Berlin", checkRemotes: false };
  const { fleet, diagnostics } = await loadFleet({ file, context });
  if (fleet === undefined) throw new Error(JSON.stringify(diagnostics));
  return fleet;
}

const all: [string, DeployableKind][] = Object.entries(kinds);

describe.each(all)("the deployment of kind %s", (name, kind) => {
  it("observes in a constant number of processes, and declares what depends on neither clock nor machine", async () => {
    const { settings } = await fleetOf(name, 1, true);
    const lab: DeploymentLab<ResolvedChangeling> = {
      ...{ deployment: await kind.deployment(), home, processes },
      settings: Object.entries(settings).find(([each]) => each === name)?.[1] ?? {},
      fleet: async (count, { enabled } = { enabled: true }) => (await fleetOf(name, count, enabled)).changelings,
    };
    expect(await brokenRules(lab)).toEqual([]);
  });
});

describe("the suite", () => {
  const fleet = async (count: number, { enabled } = { enabled: true }) =>
    (await fleetOf("web", count, enabled)).changelings;

  it("reports names that are not the changeling's, or not stable", async () => {
    let declared = 0;
    const bad: Deployment = {
      observe: async (changelings) => () => {
        for (const _ of changelings) {
          declared += 1;
          new command.local.Command(`since-2026-11-${declared}`, { create: "true" });
        }
        return {};
      },
    };
    expect(await brokenRules({ deployment: bad, settings: {}, home, processes, fleet })).toEqual([
      "5 resources belong to no changeling",
      "a name is not stable",
      "no resource has the changeling's name",
      "not every changeling has outputs",
      "outputs lack kind, provider, enabled",
      "resources change with the clock",
    ]);
  });

  it("reports each other rule that a kind breaks", async () => {
    const bad: Deployment = {
      async observe(changelings, { secretsOf }) {
        for (const { name } of changelings) execFileSync("git", ["check-ref-format", "--branch", name]);
        return () => {
          for (const changeling of changelings) {
            for (const at of changeling.enabled ? ["a", "b", "c", "d"] : ["a"]) {
              new command.local.Command(`${changeling.name}-${at}`, {
                create: `exec ${homedir()}/run on ${hostname()} at ${new Date().toISOString()}`,
                environment: { KEY: pulumi.unsecret(pulumi.output(secretsOf(changeling)["KEY"] ?? "")) },
              });
            }
          }
          return Object.fromEntries(changelings.map(({ name }) => [name, { kind: "bad", seen: Date.now() }]));
        };
      },
    };
    expect(await brokenRules({ deployment: bad, settings: {}, home, processes, fleet })).toEqual([
      "a changeling has 4 children",
      "a changeling that is not enabled has other resources",
      "a secret is not marked as one",
      "an input contains a time",
      "an input contains an absolute path",
      "an input contains the name of this machine",
      "observing 1 changeling starts 1 processes, observing 5 starts 5",
      "outputs change with the clock",
      "outputs lack provider, enabled",
      "outputs of a changeling that is not enabled say otherwise",
      "resources change with the clock",
    ]);
  });
});
