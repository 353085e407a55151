import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { writeRecord } from "../../../../components/web/agent/record.ts";
import { devStack } from "../../../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../../../scripts/stack/project.ts";
import { installationOf } from "../../../../scripts/stack/stack.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "doctor-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** What the doctor asks other programs for, as `<program>-<first argument>`, with what it is answered. */
const asked = {
  "git---version": "git version 2.50.0",
  "tmux--V": "tmux 3.4",
  "rsync---version": "rsync 3.2",
  "jq---version": "jq-1.6",
  "modal---version": "modal 1.5.4",
  "pulumi-version": "v3.258.0",
  "pulumi-config": "{}",
  "mngr---version": "mngr 0.3.0",
  "mngr-list": '{"agents": [], "errors": []}',
};

/** Programs that answer only when all that is asked for is under way: one that waits for another ends with 1. */
function fakePrograms(): string {
  const bin = join(home, "bin");
  mkdirSync(join(home, "under-way"), { recursive: true });
  mkdirSync(bin);
  const questions = Object.keys(asked);
  for (const program of new Set(questions.map((question) => question.split("-")[0] ?? ""))) {
    const answers = Object.entries(asked).filter(([question]) => question.startsWith(`${program}-`));
    const script = [
      "#!/bin/sh",
      `cd ${home}/under-way && : > "${program}-$1"`,
      `tries=0; while [ "$(ls | wc -l)" -lt ${questions.length} ]; do`,
      'tries=$((tries + 1)); [ "$tries" -gt 150 ] && exit 1; sleep 0.1; done',
      `case "${program}-$1" in`,
      ...answers.map(([question, answer]) => `${question}) echo '${answer}';;`),
      "esac",
    ];
    writeFileSync(join(bin, program), script.join("\n"), { mode: 0o755 });
  }
  return bin;
}

it("runs all checks concurrently, and shows on stderr which are pending", async () => {
  const bin = fakePrograms();
  const { configFile } = devStack(home);
  mkdirSync(join(home, ".changelings/dev"), { recursive: true });
  writeFileSync(configFile ?? "", "");
  writeRecord(installationPaths(installationOf(devStack(home)), home), {
    version: 1,
    name: "chat",
    agentId: `agent-${"0".repeat(32)}`,
    agentName: "chat",
    provider: "local",
    repo: join(home, "repo"),
    data: join(home, "data"),
  });
  const doctor = spawn(
    process.execPath,
    [join(projectFolder, "scripts/changeling/changeling.ts"), "doctor", "--json"],
    {
      env: { PATH: `${bin}:/usr/bin:/bin`, HOME: home, PULUMI_HOME: home },
    },
  );
  const [stdout, stderr] = await Promise.all([text(doctor.stdout), text(doctor.stderr)]);
  expect(stderr).toMatch(/^checking tools, the fleet file, web agents, (.*, )?Modal, this machine … 0 s\n/);
  const checks: { name: string; status: string; detail: string }[] = JSON.parse(stdout);
  const found = Object.fromEntries(checks.map(({ name, detail }) => [name, detail]));
  expect(found).toMatchObject({
    git: "git version 2.50.0",
    jq: "jq-1.6",
    mngr: "mngr 0.3.0",
    modal: "modal 1.5.4",
    pulumi: "v3.258.0",
    "fleet file": expect.stringContaining("config.toml"),
    "agent of chat": "it never started",
  });
});
