import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { setUpPostgres } from "../../scripts/stack/setup/postgres.ts";
import { descendantsOf, signalQuietly } from "../../scripts/stack/setup/processes.mjs";
import { SetupError } from "../../scripts/stack/setup/progress.mjs";
import { freePort } from "./free-port.ts";

/** A real PostgreSQL on loopback. It starts in about two seconds, so a test file has one. */
export interface Postgres {
  /** A new, empty database. @returns its URL, with the password */
  database(): Promise<string>;
  /** Runs SQL as the superuser, by default in the database `postgres`. */
  sql<Row>(text: string, url?: string): Promise<readonly Row[]>;
  /** Ends every connection to a database, as a failover does. */
  disconnect(url: string): Promise<void>;
  /** Stops all of its processes where they are. Connections stay open, without an answer. */
  pause(): void;
  resume(): void;
  /** Refuses connections, and ends those that there are, until `start`. Data stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and deletes everything. */
  close(): Promise<void>;
}

/** Why there is no PostgreSQL for the tests here; undefined if there is one. */
export async function noPostgres(): Promise<string | undefined> {
  try {
    await setUpPostgres();
    return undefined;
  } catch (error) {
    if (error instanceof SetupError) return error.message;
    throw error;
  }
}

/** PostgreSQL refuses to run as root, so for root it runs as nobody. */
const nobody = 65_534;

export async function startPostgres(): Promise<Postgres> {
  const installed = await setUpPostgres();
  const isRoot = process.getuid?.() === 0;
  const folder = mkdtempSync(join(tmpdir(), "postgres-"));
  const data = join(folder, "data");
  const programs = isRoot ? join(folder, "programs") : installed;
  const passwordFile = join(folder, "password");
  const password = randomBytes(16).toString("hex");
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (isRoot) {
    chmodSync(folder, 0o711);
    for (const path of [data, passwordFile]) chownSync(path, nobody, nobody);
    // Nobody can't enter root's cache.
    cpSync(installed, programs, { recursive: true, verbatimSymlinks: true });
  }
  const options = {
    ...(isRoot ? { uid: nobody, gid: nobody } : {}),
    cwd: data,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
  };
  const access = ["--username=owner", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
  const initdb = [...access, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", "-D", data];
  execFileSync(join(programs, "bin/initdb"), initdb, { ...options, stdio: "pipe" });
  rmSync(passwordFile);
  const port = await freePort();
  const urlOf = (database: string) => `postgres://owner:${password}@127.0.0.1:${port}/${database}`;
  let running: { readonly server: ChildProcess; readonly pid: number; readonly guard: ChildProcess } | undefined;

  const sql = async <Row>(text: string, url = urlOf("postgres")): Promise<readonly Row[]> => {
    const client = new Client({ connectionString: url });
    // Ended while it connects.
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };

  const start = async (): Promise<void> => {
    const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=200"];
    const args = ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])];
    const log = openSync(join(folder, "log"), "a");
    const server = spawn(join(programs, "bin/postgres"), args, { ...options, stdio: ["ignore", log, log] });
    closeSync(log);
    const { pid } = server;
    if (pid === undefined) throw new Error("PostgreSQL could not be started");
    running = { server, pid, guard: guard(pid, folder) };
    for (const end = Date.now() + 30_000; ; await sleep(50)) {
      try {
        await sql("SELECT 1");
        return;
      } catch (error) {
        if (server.exitCode !== null || Date.now() > end) throw error;
      }
    }
  };

  const signalAll = (signal: NodeJS.Signals): void => {
    if (running === undefined) return;
    // The first process first: it would start others.
    for (const pid of [running.pid, ...descendantsOf(running.pid)]) signalQuietly(pid, signal);
  };

  const stop = async (): Promise<void> => {
    if (running === undefined) return;
    const { server, pid, guard: itsGuard } = running;
    signalAll("SIGCONT");
    running = undefined;
    const ended = once(server, "exit");
    if (server.exitCode === null && server.signalCode === null) {
      signalQuietly(pid, "SIGQUIT");
      await ended;
    }
    itsGuard.kill("SIGKILL");
  };

  await start();
  return {
    sql,
    database: async () => {
      const name = `test_${randomBytes(6).toString("hex")}`;
      await sql(`CREATE DATABASE ${name}`);
      return urlOf(name);
    },
    disconnect: async (url) => {
      const name = new URL(url).pathname.slice(1);
      await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    },
    pause: () => signalAll("SIGSTOP"),
    resume: () => signalAll("SIGCONT"),
    stop,
    start,
    close: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Ends PostgreSQL if this process ends without doing so, however that happens: then the guard's input ends. */
function guard(pid: number, folder: string): ChildProcess {
  const script = 'cat >/dev/null; kill -QUIT "$1"; sleep 2; rm -rf "$2"';
  const program = spawn("sh", ["-c", script, "sh", String(pid), folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  program.unref();
  return program;
}
