import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import { personEnvironment, personIdentity } from "../../components/modal/identity.ts";
import { modalToken } from "../../components/modal/token.ts";
import type { Modal } from "../../components/modal/types.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";

let emulator: Emulator;
let modal: Modal;
let folder: string;
let stack: string;
let stacks = 0;

beforeAll(async () => {
  emulator = await startEmulator();
  folder = mkdtempSync(join(tmpdir(), "modal-home-"));
  modal = modalClient({ token: modalToken(emulator.env), env: { ...process.env, ...emulator.env } });
});
afterAll(async () => {
  await emulator?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  stack = `s${++stacks}`;
});

/** A machine of its own: a home, and what the shell there exports. */
function machine(name: string, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const home = join(folder, `${stack}-${name}`);
  mkdirSync(home, { recursive: true });
  return {
    PATH: process.env["PATH"],
    HOME: home,
    TMPDIR: home,
    GIT_CONFIG_GLOBAL: "/dev/null",
    ...emulator.env,
    ...extra,
  };
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script as its Command does. */
async function script(
  name: "modal-home" | "modal-secret",
  verb: "apply" | "remove",
  env: NodeJS.ProcessEnv,
): Promise<Ended> {
  const child = spawn(process.execPath, ["scripts/command.ts", name, verb], { cwd: projectFolder, env });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

const home = (verb: "apply" | "remove", env: NodeJS.ProcessEnv) =>
  script("modal-home", verb, {
    ...env,
    STACK: stack,
    CHANGELINGS_MODAL_TOKEN_ID: emulator.env.MODAL_TOKEN_ID,
    CHANGELINGS_MODAL_TOKEN_SECRET: emulator.env.MODAL_TOKEN_SECRET,
  });

async function made(env: NodeJS.ProcessEnv): Promise<{ environment: string; userId: string; prefix: string }> {
  const { code, stdout, stderr } = await home("apply", env);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout + stderr).not.toContain(emulator.env.MODAL_TOKEN_SECRET);
  return JSON.parse(stdout);
}

const keysOf = async (environment: string) =>
  (await modal.files(`changelings_${stack}`, environment, "keys")).map(({ path }) => path);

describe("modal-home", () => {
  it("makes what all apps share, once, in the environment of the person's mngr", async () => {
    const laptop = machine("laptop");
    const first = await made(laptop);
    expect(first.environment).toBe(personEnvironment(personIdentity(laptop)));
    expect((await modal.volumes(first.environment)).map(({ name }) => name).sort()).toEqual([
      `changelings_${stack}`,
      `changelings_${stack}_runs`,
    ]);
    expect((await modal.secrets(first.environment)).map(({ name }) => name)).toEqual([`changelings_${stack}`]);
    const secret = (await emulator.control.state()).secrets.find(({ name }) => name === `changelings_${stack}`);
    expect(secret?.keys?.toSorted()).toEqual([
      "CHANGELINGS_GIT_EMAIL",
      "CHANGELINGS_GIT_NAME",
      "CHANGELINGS_MNGR_SETTINGS",
      "CHANGELINGS_MODAL_TOKEN_ID",
      "CHANGELINGS_MODAL_TOKEN_SECRET",
      "MNGR_PREFIX",
      "MNGR_USER_ID",
    ]);
    const identity = JSON.parse((await modal.readFile(`changelings_${stack}`, first.environment, "stack.json")) ?? "");
    expect(identity).toEqual({ version: 1, stack, ...first });
    const keys = await keysOf(first.environment);
    expect(keys).toHaveLength(1);
    expect(await modal.readFile(`changelings_${stack}`, first.environment, keys[0] ?? "")).toMatch(/^ssh-ed25519 /);

    expect(await made(laptop)).toEqual(first);
    expect(await keysOf(first.environment)).toEqual(keys);
    expect(readdirSync(laptop["HOME"] ?? "")).toEqual([".mngr"]);
  });

  it("keeps the stack's identity on every other machine, whatever that machine's is", async () => {
    const first = await made(machine("laptop"));

    const fresh = machine("fresh");
    expect(await made(fresh)).toEqual(first);
    expect(personIdentity(fresh).userId).toBe(first.userId);

    const other = machine("other");
    mkdirSync(join(other["HOME"] ?? "", ".mngr", "profiles", "p1"), { recursive: true });
    writeFileSync(join(other["HOME"] ?? "", ".mngr", "config.toml"), 'profile = "p1"\n');
    writeFileSync(join(other["HOME"] ?? "", ".mngr", "profiles", "p1", "user_id"), "somebody");
    const { code, stdout, stderr } = await home("apply", other);
    expect({ code, made: JSON.parse(stdout) }).toEqual({ code: 0, made: first });
    const aside = join(other["HOME"] ?? "", `.mngr-${stack}`);
    expect(stderr).toContain(`MNGR_HOST_DIR=${aside} mngr list`);
    expect(personEnvironment(personIdentity({ ...other, MNGR_HOST_DIR: aside }))).toBe(first.environment);
    expect(personIdentity(other).userId).toBe("somebody");
    expect(await keysOf(first.environment)).toHaveLength(3);

    const pipeline = machine("pipeline", { CI: "true" });
    expect(await made(pipeline)).toEqual(first);
    expect(await keysOf(first.environment)).toHaveLength(3);
    expect(readdirSync(pipeline["HOME"] ?? "")).toEqual([]);
    expect((await emulator.control.state()).environments.filter((name) => name.startsWith("mngr-some"))).toEqual([]);
  });

  it("takes up what one that died left behind", async () => {
    const environment = `mngr-left${stack}`;
    await modal.createEnvironment(environment);
    await modal.createVolume(`changelings_${stack}`, environment);
    expect(await made(machine("laptop"))).toEqual({ environment, userId: `left${stack}`, prefix: "mngr-" });
  });

  it("ends the same when two come at once", async () => {
    const laptop = machine("laptop");
    const [one, other] = await Promise.all([made(laptop), made(laptop)]);
    expect(one).toEqual(other);
    expect(await keysOf(one.environment)).toHaveLength(1);
  });

  it("says what agents commit as: what is declared, else what git said at first", async () => {
    const laptop = machine("laptop");
    const config = join(laptop["HOME"] ?? "", "gitconfig");
    writeFileSync(config, "[user]\nname = Ada\nemail = ada@example.com\n");
    const { environment } = await made({ ...laptop, GIT_CONFIG_GLOBAL: config });
    const identity = async () =>
      JSON.parse((await modal.readFile(`changelings_${stack}`, environment, "stack.json")) ?? "");
    expect(await identity()).toMatchObject({ gitName: "Ada", gitEmail: "ada@example.com" });
    await made({ ...machine("other"), GIT_NAME: "Bot" });
    expect(await identity()).toMatchObject({ gitName: "Bot", gitEmail: "ada@example.com" });
  });

  it("is removed but for its data, and removed again", async () => {
    const { environment, userId } = await made(machine("laptop"));
    const elsewhere = machine("elsewhere");
    const { code, stdout, stderr } = await home("remove", elsewhere);
    const kept = [`changelings_${stack}`, `changelings_${stack}_runs`];
    expect({ code, removed: JSON.parse(stdout) }).toEqual({
      code: 0,
      removed: { removed: `changelings_${stack}`, kept },
    });
    expect(stderr).toBe(`kept on Modal, in the environment ${environment}: the volumes ${kept.join(" and ")}\n`);
    expect(await modal.secrets(environment)).toEqual([]);
    expect((await home("remove", elsewhere)).code).toBe(0);
    expect((await made(elsewhere)).userId).toBe(userId);
  });

  it("fails when Modal can't be asked, and makes nothing", async () => {
    const away = machine("away", { MODAL_SERVER_URL: "http://127.0.0.1:9" });
    const { code, stderr } = await home("apply", away);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: Modal was asked for the environments: .*ECONNREFUSED.*; check the network/);
    expect(readdirSync(away["HOME"] ?? "")).toEqual([]);
  });
});

describe("modal-secret", () => {
  const values = { GITHUB_TOKEN: "ghp-s3cret", OTHER: 'two\nlines "s3cret"' };
  const variables = (environment: string, name = "elf") => ({
    NAME: name,
    STACK: stack,
    MODAL_ENVIRONMENT: environment,
    VALUES: JSON.stringify(values),
  });

  it("sets a Secret, under its new name too, and removes it", async () => {
    const environment = "main";
    const laptop = machine("laptop");
    const set = await script("modal-secret", "apply", { ...laptop, ...variables(environment) });
    const [made] = await modal.secrets(environment);
    expect(made?.name).toBe(`changeling_${stack}_elf`);
    expect(set).toEqual({ code: 0, stderr: "", stdout: `${JSON.stringify({ secret: made?.name, id: made?.id })}\n` });

    const renamed = { ...laptop, ...variables(environment, "troll"), RENAMED_FROM: "elf" };
    expect((await script("modal-secret", "apply", renamed)).code).toBe(0);
    expect((await modal.secrets(environment)).map(({ name }) => name)).toEqual([`changeling_${stack}_troll`]);

    for (const _ of ["there", "gone"]) {
      const { code, stdout } = await script("modal-secret", "remove", renamed);
      expect({ code, stdout }).toEqual({ code: 0, stdout: `{"removed":"changeling_${stack}_troll"}\n` });
    }
    expect(await modal.secrets(environment)).toEqual([]);
  });

  it("says no value when it fails", async () => {
    const laptop = machine("laptop");
    const wrong = { MODAL_TOKEN_ID: "ak-emulator", MODAL_TOKEN_SECRET: "as-wrong" };
    for (const env of [
      { ...laptop, ...variables("no-such-environment") },
      { ...laptop, ...variables("main"), ...wrong },
      { ...laptop, ...variables("main"), VALUES: '{"A": "s3cret", "B": 7}' },
      { ...laptop, ...variables("main"), VALUES: '{"A-B": "s3cret"}' },
    ]) {
      const { code, stdout, stderr } = await script("modal-secret", "apply", env);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^error: /);
      expect(stderr).not.toMatch(/s3cret|as-wrong/);
    }
    expect(readdirSync(laptop["HOME"] ?? "")).toEqual([]);
  });
});
