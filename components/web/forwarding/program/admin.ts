import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import * as z from "zod/mini";
import type { Log } from "../../../host/log.ts";
import { type AdminRequest, adminRequestForm, adminSocketPath } from "../admin-protocol.ts";
import type { Agents } from "./agents.ts";
import type { ForwardingServer } from "./server.ts";

export interface AdminParts {
  /** The forwarding server's folder, 0700. */
  readonly folder: string;
  readonly server: ForwardingServer;
  readonly agents: Agents;
  readonly log: Log;
}

/** A connection that sends nothing for this long is closed. */
const timeoutMs = 10_000;

/**
 * Listens on `admin.sock`, through which the folder's owner manages the server. Each connection has one request and one
 * response, each a line of JSON. A response with `error` describes what went wrong.
 */
export async function startAdmin(parts: AdminParts): Promise<{ close(): void }> {
  const path = adminSocketPath(parts.folder);
  // The caller holds the server's lock, so nothing else listens there.
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const socketServer = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    serve(parts, socket);
  });
  await listen(socketServer, path);
  chmodSync(path, 0o600);
  return {
    close() {
      socketServer.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function serve(parts: AdminParts, socket: Socket): void {
  socket.setTimeout(timeoutMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  const lines = createInterface({ input: socket });
  lines.on("error", () => socket.destroy());
  lines.once("line", (line) => {
    // Handling a request may take longer than receiving it.
    socket.setTimeout(0);
    answer(parts, line)
      .catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }))
      .then((result) => socket.end(`${JSON.stringify(result)}\n`));
  });
}

async function answer({ server, agents, log }: AdminParts, line: string): Promise<unknown> {
  const request = z.parse(adminRequestForm, JSON.parse(line));
  switch (request.op) {
    case "mint":
      return server.loginUrl(await known(agents, request));
    case "revoke": {
      // Revokes even a removed agent's logins, because its cookies may still exist.
      const unsaved = server.revoke(request.agent);
      log(`${request.agent}: all logins revoked`);
      return { revoked: request.agent, warning: unsaved?.problem };
    }
    case "rotate-key": {
      const unsaved = server.rotateKey();
      log("key rotated: all logins ended");
      return { rotated: true, warning: unsaved?.problem };
    }
    case "refresh":
      await agents.refresh();
      return { refreshed: true };
    case "agents":
      return agents.list();
    case "sessions":
      return server.sessions();
    case "metrics":
      return { text: server.metrics() };
    case "status":
      return { port: server.port, url: server.url, pid: process.pid };
  }
}

async function known(agents: Agents, { agent }: Extract<AdminRequest, { op: "mint" }>): Promise<string> {
  if (agents.find(agent) === undefined) await agents.refresh();
  if (agents.find(agent) === undefined) throw new Error(`there is no web changeling with the agent ${agent}`);
  return agent;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new Error(`can't listen on ${path}: ${error.message}`)));
    server.listen(path, resolve);
  });
}
