import { connect } from "node:net";
import { join } from "node:path";
import * as z from "zod/mini";

const agent = z.string().check(z.regex(/^agent-[0-9a-f]{32}$/));

/** What the forwarding server can be asked by whoever owns its folder. */
export const adminRequestForm = z.discriminatedUnion("op", [
  /** → `{url, expiresAt}`: a URL that logs one browser in to the agent, once. */
  z.object({ op: z.literal("mint"), agent }),
  /** Ends the agent's codes and logins. */
  z.object({ op: z.literal("revoke"), agent }),
  /** Ends all logins. */
  z.object({ op: z.literal("rotate-key") }),
  /** Makes it look at its agents again. */
  z.object({ op: z.literal("refresh") }),
  /** → `AgentView[]` */
  z.object({ op: z.literal("agents") }),
  /** → `{port, url, pid}` */
  z.object({ op: z.literal("status") }),
]);

export type AdminRequest = z.infer<typeof adminRequestForm>;

/** No forwarding server listens there. */
export class NotRunning extends Error {
  constructor() {
    super("the forwarding server does not run; start it with: pulumi up");
    this.name = "NotRunning";
  }
}

export function adminSocketPath(folder: string): string {
  return join(folder, "admin.sock");
}

/** An agent may have to be looked for on another machine. */
const patienceMs = 60_000;

/**
 * Asks the forwarding server of this folder.
 *
 * @returns its answer, to be parsed
 * @throws NotRunning, or an error with what the server said is wrong
 */
export async function adminRequest(folder: string, request: AdminRequest): Promise<unknown> {
  const line = await exchange(adminSocketPath(folder), `${JSON.stringify(request)}\n`);
  const answer: unknown = JSON.parse(line);
  const failed = z.object({ error: z.string() }).safeParse(answer);
  if (failed.success) throw new Error(`the forwarding server could not do it: ${failed.data.error}`);
  return answer;
}

/**
 * Hands a request over and does not wait for what comes of it.
 *
 * @returns false when no forwarding server listens there
 */
export function handOver(folder: string, request: AdminRequest): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(adminSocketPath(folder));
    socket.once("error", () => resolve(false));
    socket.once("connect", () =>
      socket.end(`${JSON.stringify(request)}\n`, () => {
        socket.destroy();
        resolve(true);
      }),
    );
  });
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(patienceMs, () => {
      socket.destroy(new Error(`the forwarding server did not answer within ${patienceMs / 1000} s`));
    });
    socket.once("connect", () => socket.end(line));
    socket.on("data", (part: string) => {
      text += part;
    });
    socket.once("error", (error) => reject(isAbsent(error) ? new NotRunning() : error));
    socket.once("close", () => {
      if (text.endsWith("\n")) resolve(text);
      else reject(new Error("the forwarding server ended before it answered; its log says why"));
    });
  });
}

function isAbsent(error: Error): boolean {
  return "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
}
