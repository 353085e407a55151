import { join } from "node:path";
import { readRegularFile } from "../../host/regular-file.ts";
import { mostBytes, registrationPaths, type ServerFiles } from "../agent/servers.ts";
import { startNote } from "../life-cycle/await-servers.ts";

/**
 * Registrations of agents on this machine, read from their files: `mngr exec` would take a second of processor time.
 * Agents control what is at these paths.
 */

/** What an agent has registered, in the form of `parseServersOutput`. @param folder mngr's, of the agent */
export function registrationsHere(folder: string): ServerFiles {
  const read = (path: string) => {
    const part = readRegularFile(join(folder, path), { mostBytes, startOf: (size) => size - mostBytes });
    if (part === undefined) return { text: "" };
    const { text, size, changedAt } = part;
    return { text: size > mostBytes ? withoutFirstLine(text) : text, changedAt };
  };
  const services = read(registrationPaths.services);
  const servers = read(registrationPaths.servers);
  const agentServer = read(registrationPaths.agentServer);
  return {
    ...{ services: services.text, servers: servers.text, agentServer: agentServer.text },
    changedAt: { services: services.changedAt, servers: servers.changedAt, agentServer: agentServer.changedAt },
  };
}

/** In bytes; three numbers. */
const mostOfNote = 100;

/** What it has registered since it was provisioned, like `sinceStartCommand`; nothing if it never was. */
export function registrationsSinceStart(folder: string): ServerFiles {
  const sizes = readRegularFile(join(folder, startNote), { mostBytes: mostOfNote })?.text.split("\n");
  const read = (path: string, index: number) => {
    if (sizes === undefined) return "";
    const start = Number(sizes[index]) || 0;
    const startOf = (size: number) => Math.max(start, size - mostBytes);
    return readRegularFile(join(folder, path), { mostBytes, startOf })?.text ?? "";
  };
  return {
    services: read(registrationPaths.services, 0),
    servers: read(registrationPaths.servers, 1),
    agentServer: read(registrationPaths.agentServer, 2),
  };
}

/** Only its end was read. */
function withoutFirstLine(text: string): string {
  const end = text.indexOf("\n");
  return end === -1 ? "" : text.slice(end + 1);
}
