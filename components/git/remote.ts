import { quoted } from "../lib/shell-command.ts";
import { shownRepo } from "./repo-name.ts";

/** Where agents elsewhere clone a repository from, and push to. */
export interface Remote {
  /** https, or http on this machine's loopback; without credentials. */
  readonly url: string;
  /** What the local repository calls it; undefined for a repository that is named by URL. */
  readonly name: string | undefined;
}

/** Why there is none. Shows no credential. */
export interface NoRemote {
  readonly message: string;
  readonly remedy: string;
}

/** Hosts whose ssh has a name of its own, for port 443. */
const sshHosts = /^(?:ssh\.(?=github\.com$)|altssh\.)/;

/**
 * The URL by which a machine that has a token, and no ssh key of the person's, clones from and pushes to what a git
 * URL names: https, or http on this machine's loopback (for trials). Holds no credential, query or trailing `/`.
 *
 * @param url as git has it: `git@github.com:me/app.git`, `ssh://…`, `https://…`
 * @returns undefined for what has no such form: paths, `file://`, and hosts without a domain (only an ssh config knows
 * what they are)
 */
export function httpsRemote(url: string): string | undefined {
  const [, scpHost, scpPath] = /^(?:[^/\s:@]+@)?([^/\s:@]+):(?!:|\/\/)\/*(.+)$/.exec(url) ?? [];
  const parsed = URL.parse(scpHost === undefined ? url : `ssh://${scpHost}/${scpPath}`);
  if (parsed === null) return undefined;
  const path = parsed.pathname.replace(/\/+$/, "");
  // `~` is the home of a user of the ssh server.
  if (path === "" || path.startsWith("/~")) return undefined;
  switch (parsed.protocol) {
    case "https:":
      return `https://${parsed.host}${path}`;
    case "http:":
      if (isLoopbackHost(parsed.hostname)) return `http://${parsed.host}${path}`;
      // Which port https has beside another one of http, nobody knows.
      return parsed.port === "" ? webUrl(parsed.hostname, path) : undefined;
    case "ssh:":
    case "git+ssh:":
    case "ssh+git:":
    case "git:":
      return webUrl(parsed.hostname, path);
    default:
      return undefined;
  }
}

/** Whether the remote is on this machine, as in a trial on an emulator: nobody asks for a token there. */
export function isLoopback(remote: string): boolean {
  const url = URL.parse(remote);
  return url !== null && isLoopbackHost(url.hostname);
}

/** The remote of a repository that is named by URL. */
export function remoteOfUrl(url: string): Remote | NoRemote {
  return converted(undefined, url, 'write its https URL: repo = "https://…"');
}

/**
 * The remote of a local repository: the one that the branch follows, else `origin`, else the only one.
 *
 * @param listed what `git remote -v` says, which is how git uses the URLs, `insteadOf` included
 * @param followed the name of the remote that the branch follows; empty: none
 */
export function chosenRemote(repo: string, listed: string, followed: string): Remote | NoRemote {
  const urls = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, name, url] = /^(\S+)\t(.*) \(fetch\)/.exec(line) ?? [];
    if (name !== undefined && url !== undefined) urls.set(name, url);
  }
  for (const name of [followed, "origin", ...(urls.size === 1 ? urls.keys() : [])]) {
    const url = urls.get(name);
    if (url === undefined) continue;
    return converted(name, url, `git -C ${quoted(repo)} remote set-url ${quoted(name)} <URL>, ${orWriteIt}`);
  }
  const lacks = urls.size === 0 ? "no remote" : `several remotes (${[...urls.keys()].join(", ")}), and no origin`;
  return {
    message: `${repo} has ${lacks}: an agent on another machine can't clone it`,
    remedy: `git -C ${quoted(repo)} remote add origin <URL>, ${orWriteIt}`,
  };
}

const orWriteIt = 'or write the https URL itself: repo = "https://…"';

function converted(name: string | undefined, from: string, remedy: string): Remote | NoRemote {
  const url = httpsRemote(from);
  if (url !== undefined) return { url, name };
  const what = name === undefined ? "the repository" : `its remote ${name}`;
  return { message: `${what} is ${shownRepo(from)}, which an agent on another machine can't reach by https`, remedy };
}

/** @param hostname of a server of another protocol, whose port says nothing of https's */
function webUrl(hostname: string, path: string): string | undefined {
  if (hostname === "ssh.dev.azure.com") {
    const [, organization, project, repo] = /^\/v3\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    return repo === undefined ? undefined : `https://dev.azure.com/${organization}/${project}/_git/${repo}`;
  }
  return hostname.includes(".") && !isLoopbackHost(hostname)
    ? `https://${hostname.toLowerCase().replace(sshHosts, "")}${path}`
    : undefined;
}

/** @param hostname of a URL: an IPv6 address stands in brackets */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
