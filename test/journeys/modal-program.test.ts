import { chmodSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programFolder, programRequirements } from "../../components/cron/modal/program-files.ts";
import type { AppSpec } from "../../components/cron/modal/spec.ts";
import { parseLine, type RecordLine } from "../../components/cron/run-records.ts";
import { canonicalJson } from "../../components/lib/json.ts";
import { homeVolumeName, runsVolumeName, stackSecretName } from "../../components/modal/names.ts";
import { ensureTarball } from "../../components/source/tarball.ts";
import { filesHolding } from "../support/files-holding.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { Laptop } from "../support/laptop.ts";
import type { ModalCall } from "../support/modal-control.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { ModalStack } from "../support/modal-stack.ts";
import { Repository } from "../support/repository.ts";

/** The program on an emulated Modal, with the real `modal` and mngr: from its deploy to what its agents push. */

const userId = "0123456789abcdef0123456789abcdef";
const token = 'ghp_"s3cret$token';
// biome-ignore lint/suspicious/noTemplateCurlyInString: what a shell, dotenv or Python's format would expand
const hostile = 'it\'s {everything} "here" $HOME ${HOME} `id` \\ é😀';
const past = { author: "Somebody", at: "2026-01-01T00:00:00Z" };
const mostBytes = 100_000;

let git: GitServer;
let emulator: Emulator;
let stack: ModalStack;
let laptop: Laptop;
let seed: Repository;
let bare: string;

beforeAll(async () => {
  git = await startGitServer({ token });
  seed = new Repository();
  seed.write({
    "README.md": "FIXME\n",
    Dockerfile: "FROM debian:bookworm-slim\nCOPY claude.sh /usr/local/bin/claude\n",
    ".dockerignore": "*.gz\n",
    "claude.sh": readFileSync(join(import.meta.dirname, "../support/working-claude.sh")),
  });
  chmodSync(join(seed.folder, "claude.sh"), 0o755);
  seed.commit({}, past);
  bare = git.create("repo", seed.folder);
  emulator = await startEmulator({ sandboxReaches: [git.port] });
  stack = new ModalStack(emulator, userId);
  await stack.make();
  laptop = new Laptop(stack);
  await stack.write(homeVolumeName("dev"), { "keys/0123456789abcdef.pub": laptop.publicKey });
  await stack.client.putSecret(stackSecretName("dev"), stack.environment, {
    CHANGELINGS_MODAL_TOKEN_ID: "ak-emulator",
    CHANGELINGS_MODAL_TOKEN_SECRET: "as-emulator",
    MNGR_USER_ID: userId,
    MNGR_PREFIX: "mngr-",
    CHANGELINGS_MNGR_SETTINGS: '[agent_types.talker]\nparent_type = "claude"\n',
    CHANGELINGS_GIT_NAME: "Ann O'Dyne",
    CHANGELINGS_GIT_EMAIL: "ann@example.com",
  });
}, 240_000);

afterAll(async () => {
  seed?.[Symbol.dispose]();
  stack?.remove();
  await emulator?.stop();
  await git?.stop();
});

describe("the program on Modal", { timeout: 240_000 }, () => {
  it("fires at its time: an agent works, its branch is pushed, its end is recorded, its sandbox is gone", async () => {
    const script = `printf '%s' "$NASTY" >nasty; printf '%s' "$1" >argument; git add . && git commit -qm "Mend it's \\"{x}\\""`;
    const spec = specOf("worker", { agent: { script, args: [hostile] } });
    await deploy(spec, { GITHUB_TOKEN: token, NASTY: `${hostile}\nline two` });
    expect(await check(spec)).toMatchObject({
      ok: true,
      problems: [],
      mngr: "0.3.0",
      userId,
      secrets: ["GITHUB_TOKEN", "NASTY"],
    });
    const calls = await emulator.control.advance(new Date("2026-07-02T00:00:00Z"), new Date("2026-07-02T12:00:00Z"));
    expect(calls.map(({ app, status }) => [app, status])).toEqual([[spec.appName, "GENERIC_STATUS_SUCCESS"]]);
    const id = runOf(calls[0]);
    const ended = await endOf(spec, id);
    const branch = `changelings/${id}`;
    const hash = gitIn(bare, "rev-parse", branch);
    expect(ended).toMatchObject({ outcome: "succeeded", commits: [{ hash, subject: `Mend it's "{x}"` }] });
    expect(gitIn(bare, "show", "--no-patch", "--format=%an <%ae>", branch)).toBe("Ann O'Dyne <ann@example.com>");
    expect(gitIn(bare, "show", `${branch}:nasty`)).toBe(`${hostile}\nline two`);
    expect(gitIn(bare, "show", `${branch}:argument`)).toBe(hostile);
    expect(await record(spec, id, "fired")).toMatchObject({
      branch,
      repo: git.url("repo"),
      cause: { kind: "schedule" },
    });
    expect(await record(spec, id, "created")).toMatchObject({ agentId: expect.stringMatching(/^agent-/) });
    await sandboxesAreGone();
    const said = JSON.stringify([await emulator.control.state(), emulator.log()]);
    expect(said).not.toContain("s3cret$token");
    expect(await readRuns(`${spec.name}/${id}/create.log`)).not.toContain("s3cret");
    // Nor on the volume of its machine, which stays.
    expect(filesHolding("s3cret", emulator.folder)).toEqual([]);
  });

  it("deletes the snapshots of runs that are not kept; its machine is not taken away", async () => {
    const spec = specOf("keeper", { keepRuns: 1, agent: { args: ["true"] } });
    await deploy(spec, { GITHUB_TOKEN: token });
    const [app] = (await emulator.control.state()).apps.filter(({ name }) => name === spec.appName);
    const functions = app?.functions.map(({ name, nonpreemptible }) => [name, nonpreemptible]);
    expect(Object.fromEntries(functions ?? [])).toEqual({ fire: true, check: false });
    const runs: string[] = [];
    const images: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      const run = runOf(await fire(spec));
      await endOf(spec, run);
      await sandboxesAreGone();
      runs.push(run);
      images.push((await emulator.control.state()).images.length);
    }
    expect(images[1]).toBe((images[0] ?? 0) + 1);
    expect(images[2]).toBe(images[1]);
    expect(await record(spec, runs[0] ?? "", "destroyed")).toMatchObject({ event: "destroyed" });
    expect(await record(spec, runs[1] ?? "", "destroyed")).toBeUndefined();
  });

  it("lets its person's machine see and reach the agent, and never runs twice at a time", async () => {
    const spec = specOf("holder", { agent: { args: ["sleep", "1000"] } });
    await deploy(spec, { GITHUB_TOKEN: token });
    const first = runOf(await fire(spec));
    const listed = await laptop.mngr("list", "--provider", "modal", "--format", "{name} {host.state} {labels}");
    expect(listed).toMatch(new RegExp(`^${first} RUNNING .*CREATOR=changeling, changeling=holder`, "m"));
    expect(await laptop.mngr("exec", first, "git branch --show-current")).toContain(`changelings/${first}\n`);
    expect((await fire(spec)).output).toContain(`skipped (${first} is still running)`);
    // Nobody watches it to its end: its secrets go when the next run comes.
    const created = JSON.parse((await readRuns(`${spec.name}/${first}/created.json`)) ?? "");
    const volume = `mngr-vol-${created.hostId.slice("host-".length)}`;
    const environmentFiles = () =>
      Promise.all(
        ["env", `agents/${created.agentId}/env`].map((path) => stack.client.readFile(volume, spec.environment, path)),
      );
    expect(await environmentFiles()).toEqual([expect.stringContaining("s3cret"), expect.stringContaining("s3cret")]);
    await stack.client.endSandboxes(spec.environment, { mngr_host_name: first });
    const second = runOf(await fire(spec));
    const reason = "its agent was stopped or destroyed by somebody else";
    expect(await record(spec, first, "ended")).toMatchObject({ outcome: "failed", reason });
    expect(await environmentFiles()).toEqual([undefined, undefined]);
    for (const run of [first, second]) await laptop.mngr("destroy", run, "--force", "--no-gc");
  });

  it("pins a commit into the repository's own image, and waits for a conversation to settle", async () => {
    const commit = seed.git("rev-parse", "HEAD");
    // The stand-in for Claude Code can't write a quotation mark or a backslash as JSON, by which mngr sees what arrived.
    const message = hostile.replaceAll(/["\\]/g, "");
    const source = { repo: seed.folder, commit, branch: "main", origin: git.url("repo"), historyDepth: 1 };
    const agent = { mngrType: "talker", isConversational: true, leavesExitStatus: false, message } as const;
    const spec = specOf("talker", { image: "pinned", commit, settleSeconds: 3, agent });
    await deploy(spec, { GITHUB_TOKEN: token }, await ensureTarball(source));
    const id = runOf(await fire(spec));
    const { outcome, reason, commits } = await endOf(spec, id);
    expect({ outcome, reason, count: commits.length }).toEqual({ outcome: "succeeded", reason: undefined, count: 1 });
    expect(gitIn(bare, "rev-parse", `changelings/${id}`)).toBe(commits[0]?.hash);
    expect(gitIn(bare, "show", `changelings/${id}:done.txt`)).toBe(message);
    await sandboxesAreGone();
  });

  it("records one that can't be made in git's words", async () => {
    const spec = specOf("stray", { branch: "nowhere" });
    await deploy(spec, { GITHUB_TOKEN: token });
    const { outcome, reason } = await endOf(spec, runOf(await fire(spec)));
    expect({ outcome, reason }).toEqual({
      outcome: "failed",
      reason: "mngr create failed: git clone: fatal: Remote branch nowhere not found in upstream origin",
    });
    await sandboxesAreGone();
  });
});

function specOf(
  name: string,
  { agent, ...given }: Partial<Omit<AppSpec, "agent">> & { agent?: Partial<AppSpec["agent"]> },
): AppSpec {
  const spec = stack.spec(name, { repo: git.url("repo"), ...given });
  return { ...spec, agent: { ...spec.agent, ...agent } };
}

/** As components/cron/modal/app.command.ts does; from a copy, as of an installed package. */
async function deploy(spec: AppSpec, secrets: Record<string, string>, tarball?: string): Promise<void> {
  const folder = join(stack.home, "node_modules/changelings");
  cpSync(programFolder, join(folder, "cron/modal/program"), { recursive: true });
  for (const file of ["cron/local/runs/run-command.sh", "cron/local/runs/git-work.sh", "lib/mask.awk"])
    cpSync(join(programFolder, "../../..", file), join(folder, file));
  const file = join(stack.home, `${spec.name}.json`);
  writeFileSync(file, canonicalJson({ ...spec, secrets: Object.keys(secrets) }));
  await stack.client.putSecret(spec.secretName, spec.environment, secrets);
  await stack.client.deploy(join(folder, "cron/modal/program/app.py"), {
    name: spec.appName,
    environment: spec.environment,
    tag: "0123456789abcdef",
    variables: {
      CHANGELING_SPEC: file,
      CHANGELING_REQUIREMENTS: programRequirements,
      ...(tarball === undefined ? {} : { CHANGELING_TARBALL: tarball }),
    },
  });
}

function check({ appName: app, environment }: AppSpec): Promise<unknown> {
  return stack.client.call({ app, function: "check", environment, arguments: {} }, { timeoutSeconds: 60 });
}

async function fire({ appName, environment }: AppSpec): Promise<ModalCall> {
  const call = await emulator.control.fire(appName, "fire", { environment });
  if (call.status !== "GENERIC_STATUS_SUCCESS") throw new Error(`${call.exception}\n${call.output}`);
  return call;
}

function runOf(call: ModalCall | undefined): string {
  const [, id] = /^(\S+): /m.exec(call?.output ?? "") ?? [];
  if (id === undefined) throw new Error(`no run was fired: ${call?.output}`);
  return id;
}

function readRuns(path: string): Promise<string | undefined> {
  return stack.client.readFile(runsVolumeName("dev"), stack.environment, path);
}

async function record(spec: AppSpec, id: string, event: RecordLine["event"]): Promise<RecordLine | undefined> {
  const text = await readRuns(`${spec.name}/${id}/${event}.json`);
  expect(text?.length ?? 0).toBeLessThan(mostBytes);
  return text === undefined ? undefined : parseLine(text);
}

async function endOf(spec: AppSpec, id: string): Promise<Extract<RecordLine, { event: "ended" }>> {
  return eventually(`the end of ${id}`, async () => {
    const ended = await record(spec, id, "ended");
    return ended?.event === "ended" ? ended : undefined;
  });
}

async function sandboxesAreGone(): Promise<void> {
  await eventually("the end of all sandboxes", async () => {
    const { sandboxes } = await emulator.control.state();
    return sandboxes.every(({ status }) => status !== "RUNNING") || undefined;
  });
}

async function eventually<Found>(what: string, look: () => Promise<Found | undefined>): Promise<Found> {
  for (let left = 120; left > 0; left -= 1) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(500);
  }
  throw new Error(`${what} did not come within a minute\n${emulator.log()}`);
}

function gitIn(folder: string, ...args: string[]): string {
  const { code, stdout, stderr } = seed.run("git", ["-C", folder, ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout.replace(/\n$/, "");
}
