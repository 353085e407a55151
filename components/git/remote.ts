import { quoted } from "../lib/shell-command.ts";
import { shownRepo } from "./repo-name.ts";

/** The URL that agents on other machines clone from and push to. */
export interface Remote {
  /** https, or http on this machine's loopback; without credentials. */
  readonly url: string;
  /** Its name in the local repository; undefined for a repository that is declared by URL. */
  readonly name: string | undefined;
}

/** Why a repository can't be used. */
export interface Problem {
  /** What is wrong. Contains no credentials. */
  readonly message: string;
  /** The command or the edit that fixes it. */
  readonly remedy: string;
}

/** Hosts with a separate ssh name for port 443. */
const sshHosts = /^(?:ssh\.(?=github\.com$)|altssh\.)/;

/**
 * Converts a git URL to the URL for a machine with a token but without the user's ssh key: https, or http on this
 * machine's loopback (for trials). The result has no credentials, query or trailing `/`.
 *
 * @param url as git accepts it: `git@github.com:me/app.git`, `ssh://…`, `https://…`
 * @returns undefined if there is no such URL: for paths, `file://`, and hosts without a domain (which only an ssh
 * config can resolve)
 */
export function httpsRemote(url: string): string | undefined {
  const [, scpHost, scpPath] = /^(?:[^/\s:@]+@)?([^/\s:@]+):(?!:|\/\/)\/*(.+)$/.exec(url) ?? [];
  const parsed = URL.parse(scpHost === undefined ? url : `ssh://${scpHost}/${scpPath}`);
  if (parsed === null) return undefined;
  const path = parsed.pathname.replace(/\/+$/, "");
  // `~` is the home of a user on the ssh server.
  if (path === "" || path.startsWith("/~")) return undefined;
  switch (parsed.protocol) {
    case "https:":
      return `https://${parsed.host}${path}`;
    case "http:":
      if (isLoopbackHost(parsed.hostname)) return `http://${parsed.host}${path}`;
      // The https port of a server with a non-standard http port is unknown.
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

/** Whether the remote is on this machine, as in a trial on an emulator, where no token is needed. */
export function isLoopback(remote: string): boolean {
  const url = URL.parse(remote);
  return url !== null && isLoopbackHost(url.hostname);
}

/** The remote of a repository that is declared by URL. */
export function remoteOfUrl(url: string): Remote | Problem {
  return converted(undefined, url, 'write its https URL: repo = "https://…"');
}

/**
 * The remote of a local repository: the branch's upstream remote, else `origin`, else the only one.
 *
 * @param listed the output of `git remote -v`, in which git has applied `insteadOf`
 * @param followed the name of the branch's upstream remote; empty if it has none
 */
export function chosenRemote(repo: string, listed: string, followed: string): Remote | Problem {
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

function converted(name: string | undefined, from: string, remedy: string): Remote | Problem {
  const url = httpsRemote(from);
  if (url !== undefined) return { url, name };
  const what = name === undefined ? "the repository" : `its remote ${name}`;
  return { message: `${what} is ${shownRepo(from)}, which an agent on another machine can't reach by https`, remedy };
}

/** @param hostname of a server of another protocol, whose port says nothing about the https port */
function webUrl(hostname: string, path: string): string | undefined {
  if (hostname === "ssh.dev.azure.com") {
    const [, organization, project, repo] = /^\/v3\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    return repo === undefined ? undefined : `https://dev.azure.com/${organization}/${project}/_git/${repo}`;
  }
  return hostname.includes(".") && !isLoopbackHost(hostname)
    ? `https://${hostname.toLowerCase().replace(sshHosts, "")}${path}`
    : undefined;
}

/** @param hostname of a URL, with an IPv6 address in brackets */
export function isLoopbackHost(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
