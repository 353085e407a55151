import { connect } from "node:net";
import * as z from "zod/mini";
import { NoSuchThing } from "../../docker/run-docker.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { type AdminRequest, adminSocketPath, isAbsent } from "./admin-protocol.ts";
import { askInContainer } from "./docker/end-container.ts";
import { readContainer } from "./docker/installed-container.ts";

export { adminSocketPath } from "./admin-protocol.ts";

/** No forwarding server listens there. */
export class NotRunning extends Error {
  constructor() {
    super(`the forwarding server is not running; start it with: ${upCommand()}`);
    this.name = "NotRunning";
  }
}

/** Long enough for the server to query agents on other machines. */
const timeoutMs = 60_000;

/**
 * Sends a request to the forwarding server of this folder, or to its container.
 *
 * @returns its response, to be parsed
 * @throws NotRunning, or an error with the server's message
 */
export async function adminRequest(folder: string, request: AdminRequest): Promise<unknown> {
  const line = `${JSON.stringify(request)}\n`;
  const container = readContainer(folder);
  const text = await (container === undefined
    ? exchange(adminSocketPath(folder), line)
    : askInContainer(container.name, line, timeoutMs / 1000)
  ).catch((error: unknown) => {
    throw error instanceof NoSuchThing ? new NotRunning() : error;
  });
  if (!text.endsWith("\n")) throw new Error("the forwarding server ended before it answered; its log says why");
  const answer: unknown = JSON.parse(text);
  const failed = z.object({ error: z.string() }).safeParse(answer);
  if (failed.success) throw new Error(`the forwarding server could not do it: ${failed.data.error}`);
  return answer;
}

/**
 * Sends a request without waiting for the response.
 *
 * @returns false if no forwarding server listens there
 */
export function sendRequest(folder: string, request: AdminRequest): Promise<boolean> {
  const line = `${JSON.stringify(request)}\n`;
  const container = readContainer(folder);
  if (container !== undefined) return sendToContainer(container.name, line);
  return new Promise((resolve) => {
    const socket = connect(adminSocketPath(folder));
    socket.once("error", () => resolve(false));
    socket.once("connect", () =>
      socket.end(line, () => {
        socket.destroy();
        resolve(true);
      }),
    );
  });
}

async function sendToContainer(name: string, line: string): Promise<boolean> {
  try {
    await askInContainer(name, line, timeoutMs / 1000, { waits: false });
    return true;
  } catch {
    return false;
  }
}

/** @returns everything that is received until the connection ends */
function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(timeoutMs, () => {
      socket.destroy(new Error(`the forwarding server did not answer within ${timeoutMs / 1000} s`));
    });
    socket.once("connect", () => socket.end(line));
    socket.on("data", (part: string) => {
      text += part;
    });
    socket.once("error", (error) => reject(isAbsent(error) ? new NotRunning() : error));
    socket.once("close", () => resolve(text));
  });
}
