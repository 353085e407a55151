import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { findPython } from "../../stack/setup/python.ts";
import { installPythonLock } from "../../stack/setup/python-environment.ts";
import type { Listening } from "./forwarding-program.ts";
import { timed } from "./measure.ts";
import { machineEnvironment } from "./modal-place.ts";

/** Disposing of it ends it and its agent. */
export interface Peer extends Listening, AsyncDisposable {
  readonly pid: number;
}

interface Place {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

const listed = z.object({ agents: z.array(z.object({ id: z.string() })) });
const cookie = "of-the-bench";

/**
 * `mngr forward`, from its own environment, in front of a real mngr agent whose server is another program.
 *
 * @param home of the user who runs it
 * @param agentUrl what it forwards to
 * @throws SetupError if it can't be installed
 */
export async function startMngrForward(home: string, agentUrl: string): Promise<Peer> {
  const python = await installPythonLock("-bench", "Installing mngr forward (a minute, once)", await findPython());
  const cwd = join(home, "repo");
  mkdirSync(cwd, { recursive: true });
  const env = { ...machineEnvironment(home), PATH: [join(python, "bin"), process.env["PATH"]].join(delimiter) };
  const at = { cwd, env };
  await timed("git", ["init", "--quiet", "--initial-branch=main"], at);
  const author = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"];
  await timed("git", [...author, "commit", "--quiet", "--allow-empty", "--message", "1"], at);
  const create = ["create", "bench", "--transfer=none", "--type", "command", "--no-connect", "--headless", "--yes"];
  await timed("mngr", [...create, "--", "sleep", "3600"], at);
  let child: ChildProcess | undefined;
  const end = async (): Promise<void> => {
    if (child?.exitCode === null && child.kill()) await once(child, "exit");
    await timed("mngr", ["destroy", "bench", "--force", "--headless"], at);
  };
  try {
    const id = await agentId(at);
    const args = [
      ...["forward", "--no-observe", "--on-error", "continue", "--headless", "--no-open-browser"],
      ...["--forward-port", new URL(agentUrl).port, "--allow-host-loopback", "--preauth-cookie", cookie],
    ];
    const forwarding = spawn("mngr", args, { ...at, stdio: ["ignore", "ignore", "pipe"] });
    child = forwarding;
    const port = await portOf(forwarding.stderr);
    const headers = { Host: `${id}.localhost:${port}`, Cookie: `mngr_forward_session=${cookie}` };
    const peer = { url: `http://127.0.0.1:${port}`, headers };
    await answering(peer);
    return { ...peer, pid: forwarding.pid ?? 0, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function agentId({ cwd, env }: Place): Promise<string> {
  const args = ["list", "--format", "json", "--headless"];
  const child = spawn("mngr", args, { cwd, env, stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  const [agent] = listed.parse(JSON.parse(output)).agents;
  if (agent === undefined) throw new Error("mngr lists no agent");
  return agent.id;
}

/** Read from the login URL that it prints. */
async function portOf(output: Readable): Promise<string> {
  let text = "";
  for await (const part of output.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    text += part;
    const port = /http:\/\/localhost:(\d+)\/login/.exec(text)?.[1];
    if (port === undefined) continue;
    output.resume();
    return port;
  }
  throw new Error(`mngr forward did not start: ${text}`);
}

async function answering({ url, headers }: Listening): Promise<void> {
  for (const end = Date.now() + 60_000; ; await sleep(200)) {
    const status = await new Promise<number>((resolve) => {
      const asking = request(url, { headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asking.on("error", () => resolve(0)).end();
    });
    if (status === 200) return;
    if (Date.now() > end) throw new Error(`mngr forward does not answer within 60 s, but with ${status}`);
  }
}
