import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod/mini";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { setUpEmulator } from "../../scripts/stack/setup/emulator.ts";
import { EmulatorControl } from "./modal-control.ts";

export interface EmulatorOptions {
  /**
   * Ports of this machine's loopback that sandboxes can reach too, for instance a git server's. Functions reach all.
   */
  readonly sandboxReaches?: readonly number[];
  /** Which RUN steps of images really run: all except those that install or download something, or pip's too. */
  readonly run?: "offline" | "pip";
  /** Whether crons also come due by the real clock, not only by `control.advance`. */
  readonly live?: boolean;
  /** Whether an overwritten secret keeps its id (the default). Modal's behavior is not known. */
  readonly secretOverwrite?: "keeps-id" | "new-id";
  /** The emulator's own environment. Containers don't inherit it. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A running Modal emulator on loopback, with its own state. */
export interface Emulator extends AsyncDisposable {
  /** Points the modal client, mngr and Modal's TypeScript SDK at it. */
  readonly env: Readonly<
    Record<
      "MODAL_SERVER_URL" | "MODAL_TOKEN_ID" | "MODAL_TOKEN_SECRET" | "MODAL_CONFIG_PATH" | "MODAL_DISABLE_API_PROXY",
      string
    >
  >;
  readonly control: EmulatorControl;
  /** Its files: volumes, image layers, the containers' roots. */
  readonly folder: string;
  readonly pid: number;
  /** Resolves when it has ended, for any reason. */
  readonly ended: Promise<void>;
  /** Everything written to stderr so far. */
  log(): string;
  /** Stops it and all its containers, and removes its files. */
  stop(): Promise<void>;
}

const START_SECONDS = 30;
const STOP_SECONDS = 10;

const Ready = z.object({ server_url: z.string(), control_url: z.string() });

/**
 * Starts an emulator on free ports. It ends with this process, however that ends.
 *
 * @throws if a dependency is missing (the message names the command that installs it), or it does not start
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const setup = await setUpEmulator();
  const folder = mkdtempSync(join(tmpdir(), "modal-"));
  const args = [
    ...["-m", "modal_emulator", "--state-dir", folder, "--end-with-stdin", "--run", options.run ?? "offline"],
    ...["--client-python", setup.clientPython, "--secret-overwrite", options.secretOverwrite ?? "keeps-id"],
    ...(options.live === true ? ["--live"] : []),
    ...(options.sandboxReaches ?? []).flatMap((port) => ["--sandbox-reaches", String(port)]),
  ];
  const child = spawn(setup.python, args, {
    env: {
      ...(options.env ?? process.env),
      PYTHONPATH: setup.source,
      // Where bytecode is not written, Python would compile a thousand modules again at each start.
      PYTHONPYCACHEPREFIX: join(cacheFolder(), "pycache"),
      PYTHONDONTWRITEBYTECODE: "",
    },
    stdio: ["pipe", "pipe", "pipe"],
    // This process handles a Ctrl-C in the terminal.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    const line = await firstLine(child);
    const ready = z.parse(Ready, JSON.parse(line));
    return {
      env: {
        MODAL_SERVER_URL: ready.server_url,
        MODAL_TOKEN_ID: "ak-emulator",
        MODAL_TOKEN_SECRET: "as-emulator",
        MODAL_CONFIG_PATH: join(folder, "modal.toml"),
        MODAL_DISABLE_API_PROXY: "1",
      },
      control: new EmulatorControl(ready.control_url),
      folder,
      pid: child.pid ?? 0,
      ended,
      log: () => log,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`The Modal emulator did not start.\n${log}`, { cause: error });
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("its stdout is no pipe");
  const timeout = AbortSignal.timeout(START_SECONDS * 1000);
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit", { signal: timeout }).then(([code, signal]) => {
    throw new Error(`it ended with ${code ?? signal}`);
  });
  const failed = once(child, "error", { signal: timeout }).then(([error]) => {
    throw error;
  });
  const [line] = await Promise.race([once(lines, "line", { signal: timeout }), ended, failed]);
  return String(line);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_SECONDS * 1000);
  await ended;
  clearTimeout(timer);
}
