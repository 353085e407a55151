import { normalize } from "node:path";
import * as z from "zod/mini";

/** The servers that an agent has registered; see `registeredServers`. */
export interface Registered {
  /** URLs by server name, as seen from the agent's own host. */
  readonly servers: ReadonlyMap<string, string>;
  /** Registrations read, including overridden and withdrawn ones. A restart of the agent increases the count. */
  readonly lines: number;
  /** Unrecognized lines, which are skipped. */
  readonly junk: number;
  /** Registered URLs by server name that the agent may not serve, as text of bounded length. They are skipped. */
  readonly refused: ReadonlyMap<string, string>;
}

/** Contents of the files in which an agent registers its servers, oldest form last; empty if a file does not exist. */
export interface ServerFiles {
  /** `events/services/events.jsonl`: mngr's own events. */
  readonly services: string;
  /** `logs/servers.jsonl`: `{"server", "url"}` lines (spec 001). */
  readonly servers: string;
  /** `logs/agent_server.jsonl`: only a port (spec 002), for the server `web`. */
  readonly agentServer: string;
  /** Last write of each file in milliseconds since 1970, where known. */
  readonly changedAt?: Readonly<Partial<Record<"services" | "servers" | "agentServer", number | undefined>>>;
}

/** A server name: up to 64 characters, without control characters. */
const serverName = z.string().check(z.regex(/^\P{Cc}{1,64}$/u));
const port = z
  .union([z.int(), z.string().check(z.regex(/^\d{1,5}$/))])
  .check(z.refine((value) => Number(value) >= 1 && Number(value) <= 65535));
/** Lines have more fields than these, such as an id and a source. */
const timestamp = { timestamp: z.optional(z.unknown()) };

const line = z.union([
  z.object({ type: z.literal("service_registered"), service: serverName, url: z.string(), ...timestamp }),
  z.object({ type: z.literal("service_deregistered"), service: serverName, ...timestamp }),
  z.object({ type: z.optional(z.undefined()), server: serverName, url: z.string(), ...timestamp }),
  z.object({ type: z.optional(z.undefined()), server: z._default(serverName, "web"), port, ...timestamp }),
]);

/** A recognized line; `url` is undefined if the server was withdrawn. */
interface Event {
  readonly name: string;
  readonly url: string | undefined;
  readonly at: number;
  readonly isRefused?: true;
}

/** Limit of kept servers, because an agent's output is unbounded. */
const mostServers = 64;
/** Limit of parsed lines per file; earlier lines are ignored. Parsing a file full of tiny lines would take seconds. */
const mostLines = 2000;
const longestUrl = 2048;
/** In bytes. Every system can connect to a path of this length. */
export const longestSocketPath = 103;

/**
 * A later line for a name overrides an earlier one. Lines of one file keep their order. Between files the line's
 * timestamp decides, else the file's last write, else the order of the files.
 */
export function registeredServers(files: ServerFiles): Registered {
  const { changedAt = {} } = files;
  const read = fileNames.map((name) => {
    const all = files[name].split("\n").filter((each) => each.trim() !== "");
    const lines = all.slice(-mostLines);
    return { count: lines.length, events: lines.flatMap(parseLine), changedAt: changedAt[name] };
  });
  const events = inOrder(read);
  const servers = new Map<string, string>();
  const refused = new Map<string, string>();
  for (const { name, url, isRefused } of events) {
    const into = isRefused ? refused : servers;
    if (!isRefused) refused.delete(name);
    if (url === undefined) servers.delete(name);
    else if (into.has(name) || into.size < mostServers) into.set(name, url);
  }
  return {
    servers,
    lines: events.filter(({ url, isRefused }) => url !== undefined && !isRefused).length,
    junk: read.reduce((sum, { count }) => sum + count, 0) - events.length,
    refused,
  };
}

function parseLine(text: string): Event[] {
  const parsed = line.safeParse(jsonOf(text));
  if (!parsed.success) return [];
  const found = parsed.data;
  const at = timeOf(found.timestamp);
  if (found.type === "service_deregistered") return [{ name: found.service, url: undefined, at }];
  const name = "service" in found ? found.service : found.server;
  const url = serverUrl("port" in found ? `http://127.0.0.1:${found.port}` : found.url);
  if (url === undefined) return [];
  return isOnLoopback(url)
    ? [{ name, url: url.href, at }]
    : [{ name, url: url.href.slice(0, 200), at, isRefused: true }];
}

interface EventFile {
  readonly events: readonly Event[];
  readonly changedAt: number | undefined;
}

/**
 * A line without a timestamp gets its file's last write, so that a server withdrawn after that stays withdrawn. If that
 * is unknown, it follows the line before it, in its own file or in an earlier one.
 */
function inOrder(files: readonly EventFile[]): readonly Event[] {
  let latest = -Infinity;
  const timed = files.flatMap(({ events, changedAt }) => {
    let inFile = -Infinity;
    return events.map((event) => {
      // A clock that was set back must not reorder a file.
      inFile = Math.max(inFile, Number.isNaN(event.at) ? (changedAt ?? latest) : event.at);
      latest = Math.max(latest, inFile);
      return { ...event, at: inFile };
    });
  });
  return timed.sort((one, other) => (one.at === other.at ? 0 : one.at - other.at));
}

/** @returns NaN if there is none */
function timeOf(timestamp: unknown): number {
  return typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
}

/** The path of a `unix:` URL; undefined for any other. */
export function socketPathOf({ protocol, pathname }: URL): string | undefined {
  return protocol === "unix:" ? decodeURIComponent(pathname) : undefined;
}

/** The URL to connect to; undefined if the text is not a web server's URL. */
function serverUrl(text: string): URL | undefined {
  const url = text.length > longestUrl ? null : URL.parse(text);
  if (url?.protocol === "unix:") return isSocketUrl(url) ? url : undefined;
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return undefined;
  // An agent that listens on all addresses is reached on loopback.
  if (url.hostname === "0.0.0.0") url.hostname = "127.0.0.1";
  if (url.hostname === "[::]") url.hostname = "[::1]";
  return url;
}

/**
 * An absolute path without `..` that fits in a socket address; the socket serves HTTP. ssh, which tunnels to it, splits
 * at colons and expands `${NAME}` and `%d`, so that values of this machine would reach the agent's.
 */
function isSocketUrl({ host, search, hash, pathname }: URL): boolean {
  if (host !== "" || search !== "" || hash !== "") return false;
  try {
    const path = decodeURIComponent(pathname);
    return /^\/[^\0:$%]+$/.test(path) && Buffer.byteLength(path) <= longestSocketPath && normalize(path) === path;
  } catch {
    return false;
  }
}

/**
 * Agents may only serve from their own machine. Any other address would make the forwarding server, or the agent's
 * machine, send requests to a third party: a router, a metadata service, another machine on the network.
 */
function isOnLoopback({ protocol, hostname }: URL): boolean {
  return protocol === "unix:" || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of each file that is read, at its end. */
export const mostBytes = 262_144;
const fileNames = ["services", "servers", "agentServer"] as const;
/** Relative to mngr's folder of the agent. */
export const registrationPaths = {
  services: "events/services/events.jsonl",
  servers: "logs/servers.jsonl",
  agentServer: "logs/agent_server.jsonl",
} as const;
export const registrationFiles: readonly string[] = Object.values(registrationPaths);
const changedMark = "=== changed ";
const separator = (path: string) => `--- ${path}`;

/**
 * POSIX sh for `mngr exec`: prints a separator with the last write, then the last 256 KB of each file in whole lines.
 */
export const readServersCommand = [
  `for file in ${registrationFiles.join(" ")}; do`,
  `printf '\\n${separator("%s")}\\n' "$file";`,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
  'path="${MNGR_AGENT_STATE_DIR:-$MNG_AGENT_STATE_DIR}/$file";',
  '[ -f "$path" ] || continue;',
  // Only GNU date has nanoseconds; others print the letter.
  `printf '${changedMark}%s\\n' "$(date -r "$path" +%s.%N 2>/dev/null)";`,
  `if [ "$(wc -c <"$path")" -gt ${mostBytes} ]; then tail -c ${mostBytes} "$path" | sed 1d; else cat "$path"; fi;`,
  "done",
].join(" ");

/** Parses the output of `readServersCommand`. */
export function parseServersOutput(stdout: string): ServerFiles {
  const changedAt: Partial<Record<keyof typeof registrationPaths, number>> = {};
  const textOf = (name: keyof typeof registrationPaths): string => {
    const mark = `${separator(registrationPaths[name])}\n`;
    const start = stdout.indexOf(mark);
    if (start === -1) return "";
    const rest = stdout.slice(start + mark.length);
    const end = rest.search(/^--- /m);
    const section = end === -1 ? rest : rest.slice(0, end);
    if (!section.startsWith(changedMark)) return section;
    const [, seconds, nanoseconds] =
      /^(\d{1,12})\.(?:(\d{9})|N?)$/.exec(firstLine(section.slice(changedMark.length))) ?? [];
    // Without a fraction, the write may have been up to this late.
    if (seconds !== undefined)
      changedAt[name] = Number(seconds) * 1000 + Math.floor(Number(nanoseconds ?? 999_999_999) / 1e6);
    return section.slice(section.indexOf("\n") + 1);
  };
  const [services, servers, agentServer] = [textOf("services"), textOf("servers"), textOf("agentServer")];
  return { services, servers, agentServer, ...(Object.keys(changedAt).length > 0 ? { changedAt } : {}) };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
