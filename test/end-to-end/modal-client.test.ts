import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type MockInstance, vi } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import type { ModalError } from "../../components/modal/modal-error.ts";
import { observeModal } from "../../components/modal/observe.ts";
import { modalToken } from "../../components/modal/token.ts";
import type { Modal } from "../../components/modal/types.ts";
import { descendantsOf } from "../../scripts/stack/setup/processes.mjs";
import { sampleArguments } from "../support/argument-sampler.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { writeModalApp } from "../support/modal-app.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";

const environment = "mngr-test";
let emulator: Emulator;
let proxy: FaultProxy;
let folder: string;
let env: NodeJS.ProcessEnv;
let modal: Modal;

beforeAll(async () => {
  emulator = await startEmulator();
  proxy = await startFaultProxy(emulator.env.MODAL_SERVER_URL);
  folder = mkdtempSync(join(tmpdir(), "modal-client-"));
  env = { PATH: process.env["PATH"], HOME: folder, TMPDIR: folder, ...emulator.env };
  modal = modalClient({ token: modalToken(env), env });
  await modal.createEnvironment(environment);
});

afterAll(async () => {
  await proxy?.stop();
  await emulator?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function failureOf(work: Promise<unknown>): Promise<ModalError> {
  const outcome = await work.then(() => undefined).catch((error: unknown) => error);
  expect(outcome).toHaveProperty("kind");
  return outcome as ModalError;
}

describe("environments and volumes", () => {
  it("are made, and made again without harm", async () => {
    await modal.createEnvironment(environment);
    expect(await modal.environments()).toEqual(["main", environment]);
    await Promise.all([modal.createVolume("one", environment), modal.createVolume("one", environment)]);
    await modal.createVolume("two", environment, { version: 2 });
    await modal.createVolume("two", environment);
    expect((await modal.volumes(environment)).map(({ name }) => name).sort()).toEqual(["one", "two"]);
    expect(await modal.volumes("main")).toEqual([]);
  });

  it.each([1, 2] as const)("hold files (version %d)", async (version) => {
    const volume = `files-${version}`;
    await modal.createVolume(volume, environment, { version });
    expect(await modal.files(volume, environment, "apps")).toEqual([]);
    await modal.writeFiles(volume, environment, { "stack.json": "{}", "apps/elf.json": "1", "notes/ü.txt": "" });
    await modal.writeFiles(volume, environment, { "apps/elf.json": '"ü"', "apps/troll.json": "{}" });
    await modal.writeFiles(volume, environment, { "apps/troll.json": "{}" });

    const files = await modal.files(volume, environment, "apps");
    expect(files.map(({ path, isFolder, bytes }) => ({ path, isFolder, bytes }))).toEqual([
      { path: "apps/elf.json", isFolder: false, bytes: 4 },
      { path: "apps/troll.json", isFolder: false, bytes: 2 },
    ]);
    expect(Math.abs((files[0]?.modifiedAt ?? 0) - Date.now() / 1000)).toBeLessThan(120);
    expect(await modal.readFile(volume, environment, "apps/elf.json")).toBe('"ü"');
    expect(await modal.readFile(volume, environment, "apps/none.json")).toBeUndefined();
    expect(await modal.readFile("no-such-volume", environment, "apps/elf.json")).toBeUndefined();

    expect(await modal.readFile(volume, environment, "stack.json")).toBe("{}");
    expect(await modal.files(volume, environment, "notes")).toMatchObject([{ path: "notes/ü.txt", bytes: 0 }]);

    const fetched = join(folder, `fetched-${version}`);
    mkdirSync(fetched);
    await modal.download(volume, environment, "apps", fetched);
    expect(readdirSync(fetched, { recursive: true }).sort()).toEqual(["apps", "apps/elf.json", "apps/troll.json"]);

    await modal.removeFile(volume, environment, "apps/elf.json");
    await modal.removeFile(volume, environment, "apps/elf.json");
    await modal.removeFile("no-such-volume", environment, "apps/elf.json");
    expect((await modal.files(volume, environment, "apps")).map(({ path }) => path)).toEqual(["apps/troll.json"]);
    const missing = await failureOf(modal.download(volume, environment, "nope", fetched));
    expect(missing.message).toMatch(/^fetching nope from the volume files-\d failed: /);
  });
});

describe("an app and its Secret", () => {
  /** Where the progress of a build goes. */
  let stderr: MockInstance<typeof process.stderr.write>;
  beforeEach(() => {
    stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  });
  afterEach(() => stderr.mockRestore());

  const values = {
    PLAIN: "s3cret-plain",
    LINES: "s3cret\nof two lines\r\n",
    QUOTES: `s3cret 'single' "double" \`tick\` \\back\\`,
    DOLLAR: "s3cret $HOME $\u007bHOME} {x} %s",
    UNICODE: "s3cret ü 🦊 日本",
    LONG: "s3cret ".repeat(4000),
    EMPTY: "",
  };

  it("arrive as they are, and leave nothing behind", async () => {
    const argv = sampleArguments(() => descendantsOf(process.pid));
    const first = await modal.putSecret("elf", environment, { PLAIN: "s3cret-old", GONE: "s3cret-gone" });
    const id = await modal.putSecret("elf", environment, values);
    expect(id).toBe(first);
    expect(await modal.secrets(environment)).toEqual([{ name: "elf", id }]);

    const app = writeModalApp(folder, "elf", { secret: "elf", body: "return {n: os.environ.get(n) for n in names}" });
    await modal.deploy(app, { name: "elf", environment, tag: "v1", variables: {} });
    const lines = argv.stop();
    expect(lines.some((line) => line.includes(` deploy --env ${environment} --name elf `))).toBe(true);
    expect(lines.filter((line) => line.includes("s3cret"))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.startsWith("changelings-"))).toEqual([]);
    const names = [...Object.keys(values), "GONE"];
    const call = { app: "elf", function: "fire", environment, arguments: { names } };
    expect(await modal.call(call, { timeoutSeconds: 60 })).toEqual({ ...values, GONE: null });
    expect(await modal.result(await modal.spawn(call), { timeoutSeconds: 60 })).toEqual({ ...values, GONE: null });
  });

  it("keep the id that deployed apps know the Secret by, whatever Modal does when one is overwritten", async () => {
    await using strict = await startEmulator({ secretOverwrite: "new-id" });
    const client = modalClient({ token: modalToken(strict.env), env: { ...env, ...strict.env } });
    await client.createEnvironment(environment);
    const id = await client.putSecret("elf", environment, { OLD: "1", BOTH: "1" });
    expect(await client.putSecret("elf", environment, { BOTH: "2", NEW: "2" })).toBe(id);
    const [secret] = (await strict.control.state()).secrets;
    expect([secret?.id, secret?.keys]).toEqual([id, ["BOTH", "NEW"]]);
  });

  it("are listed, have a history, and are removed once", async () => {
    const app = writeModalApp(folder, "troll", { body: 'return "one"' });
    await modal.deploy(app, { name: "troll", environment, tag: "v1", variables: {} });
    writeModalApp(folder, "troll", { body: 'return "two"' });
    await modal.deploy(app, { name: "troll", environment, tag: "v2", variables: {} });
    const [listed] = (await modal.apps(environment)).filter(({ name }) => name === "troll");
    expect(listed).toMatchObject({ name: "troll", state: "deployed" });
    const history = await modal.history(listed?.id ?? "");
    expect(history.map(({ version, tag }) => ({ version, tag }))).toEqual([
      { version: 2, tag: "v2" },
      { version: 1, tag: "v1" },
    ]);

    await modal.stopApp("troll", environment);
    await modal.stopApp("troll", environment);
    await modal.stopApp("no-such-app", environment);
    expect((await modal.apps(environment)).filter(({ name }) => name === "troll")).toEqual([
      { ...listed, state: "stopped" },
    ]);
    await modal.deploy(app, { name: "troll", environment, tag: "v3", variables: {} });
    expect((await modal.apps(environment)).filter(({ name }) => name === "troll")).toMatchObject([
      { state: "deployed" },
    ]);

    await modal.putSecret("troll", environment, { A: "b" });
    await modal.deleteSecret("troll", environment);
    await modal.deleteSecret("troll", environment);
    expect((await modal.secrets(environment)).map(({ name }) => name)).not.toContain("troll");
  });

  it("end a failed deploy with the build's last lines", async () => {
    // On one stream, because the lines of two have no order.
    const image = '.run_commands("{ for n in $(seq 40); do echo line $n; done; echo no such tool; } >&2; exit 9")';
    const app = writeModalApp(folder, "broken", { image, body: "pass" });
    const error = await failureOf(modal.deploy(app, { name: "broken", environment, tag: "v1", variables: {} }));
    const reported = stderr.mock.calls.map(([line]) => line);
    expect(reported).toEqual(expect.arrayContaining([expect.stringMatching(/^=> Step 1: RUN { for n in /)]));
    expect(reported).not.toContain("line 40\n");
    const lines = error.message.split("\n");
    expect(lines[0]).toBe("deploying broken failed:");
    expect(lines.length).toBeLessThanOrEqual(21);
    expect(lines).toEqual(expect.arrayContaining(["line 30", "line 40", "no such tool"]));
  });

  it("report a missing Secret, and a function that failed", async () => {
    const lacking = writeModalApp(folder, "lacking", { secret: "no-such-secret", body: "pass" });
    const missing = await failureOf(modal.deploy(lacking, { name: "lacking", environment, tag: "v1", variables: {} }));
    expect(missing).toMatchObject({ kind: "not_found" });
    expect(missing.message).toContain("Secret 'no-such-secret' not found in environment 'mngr-test'");

    const call = { app: "elf", function: "fire", environment, arguments: { names: 7 } };
    const failed = await failureOf(modal.call(call, { timeoutSeconds: 60 }));
    expect(failed.message).toContain("'int' object is not iterable");
    const none = await failureOf(modal.spawn({ ...call, app: "no-such-app" }));
    expect(none).toMatchObject({ kind: "not_found" });
  });
});

it("lists more than a page of volumes", async () => {
  const many = "mngr-many";
  await modal.createEnvironment(many);
  const names = Array.from({ length: 230 }, (_, index) => `volume-${index}`);
  await Promise.all(names.map((name) => modal.createVolume(name, many)));
  expect((await modal.volumes(many)).map(({ name }) => name).sort()).toEqual(names.sort());
});

describe("an error of Modal", () => {
  const wrong = { id: "ak-emulator", secret: "as-wrong-secret" };

  it("is a missing token", async () => {
    const client = modalClient({ token: undefined, env });
    for (const work of [client.environments(), client.putSecret("x", environment, { A: "b" })]) {
      const error = await failureOf(work);
      expect(error.kind).toBe("no_token");
      expect(error.message).toMatch(/^no Modal token is set; get one with: modal token new/);
    }
  });

  it("is a wrong token, whose secret is not shown", async () => {
    const client = modalClient({ token: wrong, env });
    for (const work of [client.environments(), client.putSecret("x", environment, { A: "b" })]) {
      const error = await failureOf(work);
      expect(error.kind).toBe("wrong_token");
      expect(error.message).toContain("; create a new one with: modal token new");
      expect(error.message).not.toContain("as-wrong-secret");
    }
  });

  it("is that nobody answers, within 20 s", async () => {
    const away = modalClient({ token: modalToken(env), env: { ...env, MODAL_SERVER_URL: proxy.url } });
    expect(await away.environments()).toContain(environment);
    const look = () => observeModal({ stack: "dev", client: fresh(), localEnvironment: undefined });
    const fresh = () => modalClient({ token: modalToken(env), env: { ...env, MODAL_SERVER_URL: proxy.url } });
    for (const mode of ["refuse", "hang"] as const) {
      await proxy.switchTo(mode);
      const start = Date.now();
      const errors = await Promise.all([failureOf(look()), failureOf(away.environments())]);
      expect(errors.map(({ kind }) => kind)).toEqual(["unreachable", "unreachable"]);
      expect(Date.now() - start).toBeLessThan(20_000);
    }
    await proxy.switchTo("pass");
    expect(await away.environments()).toContain(environment);
  });
});
