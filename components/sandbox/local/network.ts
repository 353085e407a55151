import { spawn } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { isAlive, notStarted } from "../../lib/process.ts";
import { proxyPort, proxyVariables } from "../egress/environment.ts";
import { type ProxyOptions, startProxy } from "../egress/proxy.ts";
import { loopbackTargets } from "../egress/rules.ts";
import { SandboxError } from "../provider.ts";
import { confineForwarder } from "./confinement.ts";

/** A network namespace for the programs of one sandbox. The only thing that they can reach in it is the egress proxy. */
export interface Network {
  /** An argv prefix that runs a program in it. */
  readonly nsenter: readonly string[];
  /** Environment variables that make programs use the proxy. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether its forwarder is still running. */
  isOpen(): boolean;
  end(): void;
}

/** What the programs in a network can reach. */
export type Egress = Pick<ProxyOptions, "allowDomains" | "broker">;

const startMs = 20_000;

/** The folders of this process's networks. */
const folders = new Set<string>();

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Removes the folders that killed processes of this user left. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = /^clg-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const path = join(parent, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.uid === process.getuid?.()) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

const forwarder = fileURLToPath(new URL("../egress/forward.mjs", import.meta.url));

/**
 * Starts a forwarder in a new network namespace. It connects the sandbox's loopback to a proxy in this process. It ends with
 * this process, even if that is killed, and doesn't keep it running.
 */
export async function openNetwork(bwrap: string, egress: Egress): Promise<Network> {
  // The path of a Unix socket must be short.
  const parent = tmpdir().length > 40 ? "/tmp" : tmpdir();
  removeAbandoned(parent);
  const folder = mkdtempSync(join(parent, `clg-${process.pid}-`));
  const proxy = await startProxy({ ...egress, socket: join(folder, "s") });
  const targets = loopbackTargets(egress.allowDomains).map(({ host, port }) => `${host}:${port}`);
  const args = [
    ...["--info-fd", "3", ...confineForwarder(process.execPath, forwarder, folder)],
    ...["/node", "/forward.mjs", "/egress/s", String(proxyPort), ...targets],
  ];
  const child = spawn(bwrap, args, { env: {}, detached: true, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  let isOpen = true;
  if (folders.size === 0) process.once("exit", removeFolders);
  folders.add(folder);
  const end = () => {
    isOpen = false;
    child.kill("SIGKILL");
    proxy.end();
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
    if (folders.size === 0) process.off("exit", removeFolders);
  };
  try {
    const pid = await readyPid(child);
    child.once("exit", () => {
      isOpen = false;
      proxy.end();
    });
    child.unref();
    const nsenter = ["nsenter", "--target", String(pid), "--user", "--net", "--preserve-credentials", "--"];
    return { nsenter, env: proxyVariables, isOpen: () => isOpen, end };
  } catch (error) {
    end();
    throw error;
  }
}

const info = z.object({ "child-pid": z.number() });

/** Waits until the forwarder listens. @returns the id of its process, which is in the new namespaces */
function readyPid(child: ReturnType<typeof spawn>): Promise<number> {
  const { stdout, stderr, stdio } = child;
  const output = { info: "", stdout: "", stderr: "" };
  return new Promise((resolve, reject) => {
    const collect = (stream: Readable | null, name: keyof typeof output) => {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        if (output[name].length < 10_000) output[name] += text;
        if (!output.stdout.includes("ready\n") || !output.info.includes("}")) return;
        clearTimeout(timer);
        resolve(info.parse(JSON.parse(output.info))["child-pid"]);
      });
      if (stream !== null && "unref" in stream && typeof stream.unref === "function") stream.unref();
    };
    const fail = (reason: string) => {
      clearTimeout(timer);
      reject(
        new SandboxError("network", `the sandbox's network could not be set up: ${reason} ${output.stderr.trim()}`),
      );
    };
    const timer = setTimeout(() => fail(`no answer in ${startMs / 1000} s`), startMs);
    collect(stdout, "stdout");
    collect(stderr, "stderr");
    const extra = stdio[3];
    collect(isReadable(extra) ? extra : null, "info");
    child.once("error", ({ message }) => fail(`${message} (${notStarted})`));
    child.once("exit", (code, signal) => fail(`bubblewrap ended with ${code ?? signal}:`));
  });
}

function isReadable(stream: unknown): stream is Readable {
  return typeof stream === "object" && stream !== null && "setEncoding" in stream;
}
