import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { looksLikeSecret, shown } from "../lib/literal-secrets.ts";

/** Whether a repository is declared by URL (`https://…`, `ssh://…`, `git@host:path`), not by path. */
export function isRepoUrl(repo: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(repo) || /^[^/\s:]+@[^/\s:]+:/.test(repo) || /^[a-z]+::/.test(repo);
}

/** Makes a user's path absolute. URLs are returned unchanged. */
export function absoluteRepo(repo: string, { folder, home = homedir() }: { folder: string; home?: string }): string {
  if (isRepoUrl(repo)) return repo;
  if (repo === "~" || repo.startsWith("~/")) return join(home, repo.slice(1));
  return isAbsolute(repo) ? join(repo) : resolve(folder, repo);
}

/** Makes a user's path absolute, without a trailing `/`. */
export function absolutePath(path: string, { folder, home }: { folder: string; home: string }): string {
  return resolve(folder, path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path);
}

const transports = new Set(["https:", "http:", "ssh:", "git:", "file:", "git+ssh:"]);

/** What is wrong with a repository's URL, without contacting it; undefined if nothing is. Contains no credentials. */
export function urlProblem(repo: string): { message: string; remedy: string } | undefined {
  if (repo.startsWith("-")) return { message: `${shown(repo)} is not a repository`, remedy: "write a path or a URL" };
  if (!repo.includes("://")) {
    if (!/^[a-z]+::/.test(repo)) return undefined;
    return { message: "git's remote helpers are not allowed here", remedy: "write an https:// or ssh:// URL" };
  }
  const url = URL.parse(repo);
  if (url === null || !transports.has(url.protocol)) {
    return { message: "is not a URL that git can clone from", remedy: "write an https:// or ssh:// URL, or a path" };
  }
  if (url.password !== "" || looksLikeSecret(repo)) {
    return {
      message: "the URL contains a credential, which would be visible in the stack's state and in process lists",
      remedy: `write ${withoutCredential(url)} and give git the credential: git credential approve, or gh auth login`,
    };
  }
  return undefined;
}

/** A repository for messages, without anything that may be a credential. */
export function shownRepo(repo: string): string {
  if (!repo.includes("://")) return repo;
  const url = URL.parse(repo);
  // A URL that can't be parsed may contain a credential too.
  return url === null ? repo.replace(/:\/\/[^/]*@/, "://").replace(/[?#].*$/s, "") : withoutCredential(url);
}

function withoutCredential(url: URL): string {
  const name = url.protocol === "ssh:" && !looksLikeSecret(url.username) ? url.username : "";
  return `${url.protocol}//${name === "" ? "" : `${name}@`}${url.host}${looksLikeSecret(url.pathname) ? "/…" : url.pathname}`;
}

/** Rejects names that git refuses (git-check-ref-format), and names that another program would read as an option. */
export function isBranchName(branch: string): boolean {
  return (
    branch !== "" &&
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|[/.]$|\/\.|\.lock(\/|$)/.test(branch) &&
    branch !== "@" &&
    branch !== "HEAD"
  );
}

/** A repository's name for resources and files: `git@host:me/My App.git` becomes `my-app`. */
export function slugOf(repo: string): string {
  const last = repo.replace(/(\.git)?\/*$/, "").replace(/^.*[/:]/, "");
  const slug = last
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 30)
    .replace(/-$/, "");
  return slug === "" ? "repo" : slug;
}
