import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import type { RunningSandbox } from "../../../components/sandbox/running-sandbox.ts";
import { openSessions } from "../../../components/sandbox/sessions/client.ts";
import { sessionsFolder } from "../../../components/sandbox/sessions/folder.ts";
import { startSessionService } from "../../../components/sandbox/sessions/runner/run.ts";
import { devStack } from "../../stack/dev-stack.ts";
import { projectFolder } from "../../stack/project.ts";
import { installationOf } from "../../stack/stack.ts";
import { instantManager } from "./instant-manager.ts";
import { type Measure, median, percentile } from "./measure.ts";

const prompts = 30;
/** The pieces of an answer, and the pause between two of them; a model writes about as fast. */
const pieces = 40;
const pauseMs = 15;
const bar = 50;

/**
 * From the moment at which a runtime emits a piece of text to the one at which a client of the session's events has it, and
 * at which it is in the pipe of `changeling sandbox send`. The runtime, the client and the other end of the pipe are in this
 * process, so one clock is read.
 */
export async function* streamMeasures(folder: string): AsyncGenerator<Measure> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const own = sessionsFolder(installationPaths(installationOf(devStack(home), home), home));
  mkdirSync(own, { recursive: true });
  const { spec } = sandboxOf("bench", { repo: "me/app" });
  const emitted = new Map<string, number>();
  const stop = await startSessionService({
    ...{ folder: own, manager: instantManager(emitter(emitted)), secrets: () => ({}), log: () => {} },
    changeling: () => ({ spec }),
  });
  try {
    const client = openSessions({ folder: own, person: "bench" });
    const { id } = await client.create({ changeling: "bench", limits: {} });
    for await (const event of client.events(id)) if (event.type === "ready") break;
    const ended = new AbortController();
    const atClient = new Arrivals();
    const following = (async () => {
      for await (const event of client.events(id, { signal: ended.signal })) {
        if (event.type === "text") atClient.take(event.text);
      }
    })();
    const inPipe = new Arrivals();
    for (let prompt = 0; prompt < prompts; prompt++) await send({ home, session: id, prompt: `p${prompt}` }, inPipe);
    ended.abort();
    await following;
    for (const [where, arrivals] of [
      ["a client's events", atClient],
      ["the terminal (changeling sandbox send)", inPipe],
    ] as const) {
      for (const [which, piece] of [
        ["the first streamed byte", 0],
        ["a later piece", pieces / 2],
      ] as const) {
        const times = Array.from({ length: prompts }, (_, prompt) => {
          const name = pieceOf(`p${prompt}`, piece);
          return arrivals.of(name) - (emitted.get(name) ?? Number.NaN);
        });
        yield inMs(`${which}, from the runtime to ${where}`, median(times));
        yield inMs(`${which}, from the runtime to ${where}, 99th percentile`, percentile(times, 0.99));
      }
    }
  } finally {
    await stop();
  }
}

function inMs(name: string, value: number): Measure {
  return { name, value, unit: "ms", bar, detail: `${prompts} prompts` };
}

/** The text of a piece: no other contains it. */
function pieceOf(prompt: string, piece: number): string {
  return `<${prompt}.${piece}>`;
}

/** Executes a prompt: writes when it emitted each piece of its answer. */
function emitter(emitted: Map<string, number>): RunningSandbox["prompt"] {
  return async (prompt, { onEvent } = {}) => {
    const all = Array.from({ length: pieces }, (_, piece) => pieceOf(prompt, piece));
    for (const text of all) {
      emitted.set(text, performance.now());
      onEvent?.({ type: "text", text });
      await sleep(pauseMs);
    }
    return all.join("");
  };
}

/** When each piece was read. */
class Arrivals {
  readonly #at = new Map<string, number>();
  #rest = "";

  take(text: string): void {
    const now = performance.now();
    const parts = (this.#rest + text).split(">");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) this.#at.set(`${part.slice(part.indexOf("<"))}>`, now);
  }

  of(piece: string): number {
    return this.#at.get(piece) ?? Number.NaN;
  }
}

/** @throws if the command fails */
async function send(
  { home, session, prompt }: { readonly home: string; readonly session: string; readonly prompt: string },
  arrivals: Arrivals,
): Promise<void> {
  const args = ["scripts/stack/launch.mjs", "changeling", "sandbox", "send", session, prompt];
  const child = spawn("node", args, {
    cwd: projectFolder,
    env: { ...process.env, HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let problems = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => arrivals.take(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    problems += text;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`changeling sandbox send exited with ${code}:\n${problems}`);
}
