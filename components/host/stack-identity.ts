import { readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

/** A stack as Pulumi names it. Each part may change while the stack stays the same; see `chooseInstallation`. */
export interface StackIdentity {
  /** In the form that `canonicalBackend` returns. */
  readonly backend: string;
  /** `organization` for a backend without organizations; undefined if unknown, as for a short name on Pulumi Cloud. */
  readonly organization: string | undefined;
  readonly project: string;
  /** Without organization and project. */
  readonly stack: string;
}

/** Pulumi's name for the organization in a backend without organizations. */
const noOrganization = "organization";

/** @param name as for `pulumi --stack`: `stack`, `organization/stack` or `organization/project/stack` */
export function identityOf(name: string, at: { backend: string; project: string }): StackIdentity {
  const [stack = name, ...before] = name.split("/").reverse();
  const [project = at.project, organization] = before.length > 1 ? before : [undefined, before[0]];
  const isService = /^https?:/.test(at.backend);
  return { backend: at.backend, organization: isService ? organization : noOrganization, project, stack };
}

/** An unknown organization matches any. */
export function isSameStack(one: StackIdentity, other: StackIdentity): boolean {
  const isSameOrganization =
    one.organization === undefined || other.organization === undefined || one.organization === other.organization;
  return (
    isSameOrganization && one.backend === other.backend && one.project === other.project && one.stack === other.stack
  );
}

/** For messages, and for Pulumi's `--stack`. */
export function fullName({ organization, project, stack }: StackIdentity): string {
  return organization === undefined ? stack : [organization, project, stack].join("/");
}

export function identityInWords(identity: StackIdentity): string {
  return `${fullName(identity)} in ${identity.backend}`;
}

/**
 * The backend that the Pulumi CLI uses, in the CLI's order: PULUMI_BACKEND_URL, the project's `backend.url`, then the
 * current login. The engine does not pass it to a program, so this reads what the CLI reads.
 *
 * @param project the folder that contains Pulumi.yaml; undefined: its `backend.url` is ignored
 */
export function currentBackend(
  env: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
  project?: string,
): string {
  if (env["PULUMI_BACKEND_URL"]) return env["PULUMI_BACKEND_URL"];
  return (project === undefined ? undefined : backendOfProject(project)) ?? backendOfLogin(env, home);
}

function backendOfLogin(env: NodeJS.ProcessEnv, home: string): string {
  const folder = env["PULUMI_CREDENTIALS_PATH"] ?? env["PULUMI_HOME"] ?? join(home, ".pulumi");
  try {
    const credentials: unknown = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8"));
    if (credentials !== null && typeof credentials === "object" && "current" in credentials) {
      if (typeof credentials.current === "string" && credentials.current !== "") return credentials.current;
    }
  } catch (error) {
    // No login at all means Pulumi Cloud. The CLI has already reported a file that can't be read.
    if (!(error instanceof Error)) throw error;
  }
  return "https://api.pulumi.com";
}

function backendOfProject(folder: string): string | undefined {
  return projectFile(folder).match(/^backend:\s*(?:\n\s+|\{\s*)url:\s*["']?([^\s"'}]+)/m)?.[1];
}

/** @returns the `name` in Pulumi.yaml; undefined if there is none */
export function projectNameIn(folder: string): string | undefined {
  return projectFile(folder).match(/^name:\s*["']?([\w.-]+)/m)?.[1];
}

function projectFile(folder: string): string {
  for (const name of ["Pulumi.yaml", "Pulumi.yml"]) {
    try {
      return readFileSync(join(folder, name), "utf8");
    } catch {
      // Try the other file name.
    }
  }
  return "";
}

/** The parameters of a backend's URL that identify it. The others are connection settings or passwords. */
const locating = ["endpoint", "storage_account", "domain", "table"];

/**
 * A backend in one spelling, without credentials: `file://~`, `file:///home/me/` and a symlink to it are the same, and
 * so are `s3://bucket?a&b` and `s3://bucket?b&a`.
 *
 * @param at.cwd the base of a relative path
 */
export function canonicalBackend(backend: string, at: { home?: string; cwd?: string } = {}): string {
  const folder = folderOfBackend(backend, at);
  if (folder !== undefined) return `file://${folder}`;
  if (!URL.canParse(backend)) return backend;
  const url = new URL(backend);
  const host = url.host.toLowerCase().replace(/^app\.pulumi\.com$/, "api.pulumi.com");
  const query = locating.flatMap((name) => {
    const value = url.searchParams.get(name);
    return value === null ? [] : [`${name}=${value.replace(/\/+$/, "")}`];
  });
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.protocol}//${host}${path}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

/** The folder of a file backend, absolute and without symlinks; undefined for other backends. */
export function folderOfBackend(
  backend: string,
  { home = homedir(), cwd = process.cwd() }: { home?: string; cwd?: string } = {},
): string | undefined {
  if (!backend.startsWith("file://")) return undefined;
  const path = decoded(backend.slice("file://".length).replace(/\?.*$/s, ""));
  return real(resolve(cwd, path.replace(/^~(?=\/|$)/, home)));
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A path that does not exist yet may be below a symlink. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(real(dirname(path)), basename(path));
  }
}
