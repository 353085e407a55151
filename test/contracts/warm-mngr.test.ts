import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readToolchain } from "../../scripts/stack/setup/toolchain.mjs";
import { startWarmMngr } from "../support/warm-mngr/warm-mngr.ts";

describe("mngr and modal as tests call them, in a fork of a process that has their modules", () => {
  let home: string;
  let real: string;
  let warm: string;
  let modals: readonly string[];
  let end: () => void;
  const env = (more: Record<string, string> = {}) => ({
    PATH: `${process.env["PATH"]}`,
    HOME: home,
    MNGR_HOST_DIR: join(home, ".mngr"),
    MNGR__PROVIDERS__MODAL__IS_ENABLED: "false",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    ...more,
  });
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "warm-"));
    const toolchain = readToolchain();
    if (toolchain === null) throw new Error("run the tests with: npm test");
    const started = startWarmMngr(toolchain, "");
    real = toolchain.mngr;
    warm = join(`${started.path.split(delimiter)[0]}`, "mngr");
    modals = [toolchain.modal, join(dirname(warm), "modal")];
    end = started.end;
    await vi.waitUntil(() => existsSync(join(dirname(warm), "socket")), { timeout: 60_000 });
  });
  afterAll(() => {
    end?.();
    rmSync(home, { recursive: true, force: true });
  });

  const settings = (name: string, text: string) => {
    const folder = join(home, name);
    mkdirSync(folder);
    writeFileSync(join(folder, "settings.toml"), text);
    return { MNGR_PROJECT_CONFIG_DIR: folder };
  };

  it.each<[string, string[], () => Record<string, string>]>([
    ["an error of its arguments", ["nothing", "--at-all"], () => ({})],
    ["settings that can't be read", ["list", "--headless"], () => settings("broken", "not = [toml")],
    ["settings without a plugin", ["create", "--help"], () => settings("fewer", "[plugins.claude]\nenabled = false\n")],
  ])("answers as the program itself: %s", (_, args, variables) => {
    const more = env(variables());
    const ways = [real, warm].map((program) => {
      const { status, signal, stdout, stderr } = spawnSync(program, args, { env: more, cwd: home, encoding: "utf8" });
      return { status, signal, stdout, stderr };
    });
    expect(ways[1]).toEqual(ways[0]);
    expect(`${ways[1]?.stdout}${ways[1]?.stderr}`).not.toBe("");
  });

  it.each<[string, string[], Record<string, string>]>([
    ["an error of its arguments", ["volume", "nothing"], {}],
    ["no token, in as many columns as its variables say", ["environment", "list"], { COLUMNS: "60" }],
    ["an app's file that can't be imported", ["deploy", "broken.py"], { PYTHONDONTWRITEBYTECODE: "1" }],
  ])("answers as modal itself: %s", (_, args, variables) => {
    writeFileSync(join(home, "broken.py"), "import nothing_of_this_name\n");
    const ways = modals.map((program) => {
      const options = { env: env(variables), cwd: home, encoding: "utf8" } as const;
      const { status, signal, stdout, stderr } = spawnSync(program, args, options);
      return { status, signal, stdout, stderr };
    });
    expect(ways[1]).toEqual(ways[0]);
    expect(ways[1]?.status).not.toBe(0);
    expect(`${ways[1]?.stdout}${ways[1]?.stderr}`).not.toBe("");
    expect(existsSync(join(home, "__pycache__"))).toBe(false);
  });

  it.each(["SIGTERM", "SIGKILL"] as const)("ends with its caller's %s", async (signal) => {
    const folder = join(home, signal);
    mkdirSync(folder);
    const fifo = join(folder, "settings.toml");
    execFileSync("mkfifo", [fifo]);
    const isRead = () => {
      try {
        closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
        return true;
      } catch {
        return false;
      }
    };
    // Opened for both, so that its opening does not wait, but its reading does.
    const held = openSync(fifo, constants.O_RDWR);
    const variables = env({ MNGR_PROJECT_CONFIG_DIR: folder });
    const child = spawn(warm, ["list", "--headless"], { env: variables, stdio: "ignore" });
    const holders = () => execFileSync("sh", ["-c", `ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c "$0" || true`, fifo]);
    await expect.poll(() => Number(holders())).toBe(2);
    child.kill(signal);
    expect(await once(child, "exit")).toEqual([null, signal]);
    closeSync(held);
    await expect.poll(isRead).toBe(false);
  });
});
