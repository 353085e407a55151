import type { CodeStore } from "../../components/seed-agent/program/code-store/code-store.ts";
import type { AgentRequest, AgentResponse, Recording, Version } from "../../components/seed-agent/program/domain.ts";
import type { Events } from "../../components/seed-agent/program/events.ts";
import {
  type CallContext,
  HostError,
  type StartHost,
  type VersionHost,
} from "../../components/seed-agent/program/hot-reload/version-host.ts";
import { openLive } from "../../components/seed-agent/program/live/open-live.ts";
import type { Store } from "../../components/seed-agent/program/store/store.ts";

/** A version's code without a process: what `bundle` would be. */
export interface Code {
  handle?(request: AgentRequest, given: CallContext, call: Call): AgentResponse | Promise<AgentResponse>;
  checks?(): readonly { readonly name: string; readonly ok: boolean }[];
  /** In bytes. */
  memory?: number;
  /** Does not start, for this reason. */
  broken?: string;
}

export interface Call {
  /** How many requests this process has had, this one included. */
  readonly count: number;
  readonly write: (key: string, value: string) => void;
  /** Ends the process. */
  readonly crash: () => never;
}

export function versionOf(id: string, parent?: string): Version {
  const at = "2026-01-01T00:00:00.000Z";
  const of = { id, hash: id, author: "owner", summary: `version ${id}`, createdAt: at, sources: {}, bundle: id };
  return parent === undefined ? of : { ...of, parent };
}

export const get = (path = "/"): AgentRequest => ({ method: "GET", path, query: {}, headers: {}, body: "" });
export const ok = (body: string): AgentResponse => ({ status: 200, headers: {}, body });

export function recorded(id: string, path: string, body: string): Recording {
  const at = "2026-01-01T00:00:00.000Z";
  return { id, at, version: "v0", request: get(path), now: 1, seed: 1, state: {}, response: ok(body), milliseconds: 1 };
}

export interface LabOptions {
  readonly code: Readonly<Record<string, Code>>;
  readonly active?: string;
  readonly lastGood?: string;
  readonly isGood?: boolean;
  /** In a crash loop, with so many starts. */
  readonly starts?: number;
  readonly recordings?: readonly Recording[];
  readonly probationSeconds?: number;
}

/** A node's `live`, with versions that are functions, and what it did to its stores. */
export async function liveLab(options: LabOptions) {
  const started: string[] = [];
  const ended: string[] = [];
  const fallbacks: string[] = [];
  const reloads: string[] = [];
  const state = new Map<string, string>();
  const disk = { active: options.active ?? "v0", lastGood: options.lastGood ?? "v0", good: options.isGood ?? true };
  const startHost: StartHost = async (version) => {
    const code = options.code[version.id];
    if (code === undefined) throw new Error(`no code for ${version.id}`);
    if (code.broken !== undefined) throw new HostError("did not start", code.broken);
    started.push(version.id);
    return host(version.id, code, () => ended.push(version.id));
  };
  const codeStore = {
    read: async (id: string) => (options.code[id] === undefined ? undefined : versionOf(id)),
    write: async () => undefined,
    activate: async (id: string) => {
      disk.active = id;
      disk.good = false;
    },
    active: () => disk.active,
    lastGood: () => disk.lastGood,
    markGood: async (id: string) => {
      disk.lastGood = id;
      disk.good = true;
    },
    isGood: () => disk.good,
    beginStart: async () => ({ isCrashLoop: options.starts !== undefined, starts: options.starts ?? 1 }),
    markStarted: async () => undefined,
  };
  const records: Recording[] = [];
  const store: Pick<Store, "record" | "recordings" | "stateGet" | "stateSet"> = {
    record: async (recording) => void records.push(recording),
    recordings: async () => options.recordings ?? [],
    stateGet: async (keys) =>
      Object.fromEntries(keys.flatMap((key) => (state.has(key) ? [[key, state.get(key) ?? ""]] : []))),
    stateSet: async (changes, reads = {}) => {
      for (const [key, value] of Object.entries(reads)) if ((state.get(key) ?? null) !== value) return false;
      for (const [key, value] of Object.entries(changes))
        value === undefined ? state.delete(key) : state.set(key, value);
      return true;
    },
  };
  const live = await openLive({
    ...{ startHost, codeStore: codeStore as unknown as CodeStore, store },
    limits: { memoryMb: 256, callMilliseconds: 1000, startMilliseconds: 1000 },
    events: silentEvents(({ version, step }, { ok }) => reloads.push(`${step} ${version} ${ok ? "ok" : "failed"}`)),
    firstVersion: async () => versionOf("v0"),
    probationSeconds: options.probationSeconds ?? 60,
    recordings: 100,
    onFallback: (from, to, reason) => fallbacks.push(`${from} → ${to}: ${reason}`),
  });
  return { live, started, ended, fallbacks, reloads, records, state, disk, store };
}

export function silentEvents(
  onReload: (labels: { version: string; step: string }, outcome: { ok: boolean }) => void = () => undefined,
): Events {
  return {
    hotReload: (labels) => (outcome) => onReload(labels, outcome),
    request: () => undefined,
    missingApiKey: () => undefined,
    decision: () => undefined,
    gauge: () => undefined,
    log: () => undefined,
  };
}

let pids = 1;

function host(version: string, code: Code, onEnd: () => void): VersionHost {
  let count = 0;
  let hasEnded = false;
  let end: (end: { reason: string }) => void = () => undefined;
  const ended = new Promise<{ reason: string }>((resolve) => {
    end = resolve;
  });
  const finish = (reason: string) => {
    if (hasEnded) return;
    hasEnded = true;
    onEnd();
    end({ reason });
  };
  const living = () => {
    if (hasEnded) throw new HostError("ended", "its process has ended");
  };
  return {
    ...{ version, pid: pids++, ended },
    memory: async () => (hasEnded ? 0 : (code.memory ?? 50_000_000)),
    async handle(request, given) {
      living();
      count += 1;
      const start = performance.now();
      const reads: Record<string, string | null> = {};
      const writes: Record<string, string> = {};
      const read = async (key: string) => {
        const value = await given.read(key);
        reads[key] = value ?? null;
        return value;
      };
      const crash = () => {
        finish("it crashed");
        throw new HostError("ended", "its process has ended");
      };
      const write = (key: string, value: string) => {
        writes[key] = value;
      };
      const call = { count, crash, write };
      try {
        const response = (await code.handle?.(request, { ...given, read }, call)) ?? ok(version);
        return { response, reads, writes, milliseconds: performance.now() - start };
      } catch (error) {
        if (error instanceof HostError) throw error;
        throw new HostError("threw", String(error));
      }
    },
    async checks() {
      living();
      return code.checks?.() ?? [];
    },
    plan: async () => undefined,
    end: async () => finish("it was ended"),
  };
}
