import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { stockWebType } from "../../changelings/stock-web.ts";
import { readTextIfAny } from "../../components/host/files.ts";

const message = z.object({
  id: z.int(),
  at: z.string(),
  from: z.enum(["person", "agent"]),
  text: z.string(),
  key: z.optional(z.string()),
  replyTo: z.optional(z.int()),
  failed: z.optional(z.boolean()),
});
const listed = z.object({ messages: z.array(message), hasOlder: z.boolean() });

export type ChatMessage = z.infer<typeof message>;

/** The stock chat in its own folder, like a repo from scratch, run without mngr. */
export class ChatLab {
  readonly folder = mkdtempSync(join(tmpdir(), "chat-"));
  readonly repo = join(this.folder, "repo");
  readonly state = join(this.folder, "state");
  readonly data = join(this.folder, "data");
  readonly #processes: ChildProcess[] = [];

  constructor() {
    for (const { from, to } of stockWebType("chat")?.copies ?? []) {
      cpSync(from, join(this.repo, to), { recursive: true });
    }
    mkdirSync(this.state);
  }

  /** Starts it as mngr does, so that it registers itself. @param env as in `start` */
  startDeployed(env: Record<string, string> = {}, args: readonly string[] = []): Promise<RunningChat> {
    return this.start({ MNGR_AGENT_STATE_DIR: this.state, ...env }, args);
  }

  /** Starts it as by hand, on an open port. @param env added to every agent's @param args as agent arguments */
  async start(env: Record<string, string> = {}, args: readonly string[] = []): Promise<RunningChat> {
    const child = spawn(process.execPath, ["server.mjs", ...args], {
      cwd: this.repo,
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: this.folder,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        CHANGELING_NAME: "elena",
        CHANGELING_DATA: this.data,
        ...env,
      },
    });
    this.#processes.push(child);
    let log = "";
    const url = await new Promise<string>((resolve, reject) => {
      child.once("exit", () => reject(new Error(`the chat ended: ${log}`)));
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        const [, found] = /listens on (\S+),/.exec(log) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const secret = readTextIfAny(join(this.state, "forwarding-secret"));
    const headers = secret === undefined ? {} : { "x-changeling-secret": secret };
    return new RunningChat(url, child, () => log, headers);
  }

  /** The file of the conversation, or where it will be. */
  get journal(): string {
    return readFileSync(join(this.data, "memory/messages.jsonl"), "utf8");
  }

  set journal(text: string) {
    mkdirSync(join(this.data, "memory"), { recursive: true });
    writeFileSync(join(this.data, "memory/messages.jsonl"), text);
  }

  /** Creates a program in a `bin` folder. @returns the folder */
  program(name: string, ...lines: string[]): string {
    const bin = join(this.folder, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, name), ["#!/bin/sh", "set -eu", ...lines, ""].join("\n"), { mode: 0o755 });
    return bin;
  }

  async remove(): Promise<void> {
    for (const child of this.#processes) await end(child, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class RunningChat {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly log: () => string;
  /** The headers that the forwarding server sends with every request. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(url: string, child: ChildProcess, log: () => string, headers: Readonly<Record<string, string>>) {
    this.headers = headers;
    this.url = url;
    this.#child = child;
    this.log = log;
  }

  post(text: string, key?: string): Promise<Response> {
    const headers = { ...this.headers, "content-type": "application/json" };
    return fetch(`${this.url}/messages`, { method: "POST", headers, body: JSON.stringify({ text, key }) });
  }

  /** @param query the part after `?` */
  async messages(query = ""): Promise<z.infer<typeof listed>> {
    return listed.parse(await (await fetch(`${this.url}/messages?${query}`, { headers: this.headers })).json());
  }

  /** Sends a message and waits for its answer. */
  async ask(text: string): Promise<ChatMessage> {
    const { id } = message.parse(await (await this.post(text)).json());
    return this.answerTo(id);
  }

  /** Waits on the event stream. */
  async answerTo(id: number): Promise<ChatMessage> {
    for await (const change of this.events(`after=${id}`)) {
      const found = z.object({ message }).safeParse(change);
      if (found.success && found.data.message.replyTo === id) return found.data.message;
    }
    throw new Error(`the stream of events ended without an answer to ${id}`);
  }

  /** The events of the stream, as received. It closes when the loop that reads it ends. */
  async *events(query: string, headers: Record<string, string> = {}): AsyncGenerator<unknown> {
    const response = await fetch(`${this.url}/events?${query}`, { headers: { ...this.headers, ...headers } });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString("utf8");
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const [, data] = /^data: (.*)$/m.exec(event) ?? [];
        if (data !== undefined) yield JSON.parse(data);
      }
    }
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    return end(this.#child, signal);
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
  return child.exitCode;
}
