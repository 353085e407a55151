import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  aptTrustFile,
  compress,
  debianCommand,
  type Pack,
  registryCommands,
  run,
  trustCommands,
  writing,
} from "../../docker/dockerfile.ts";
import { baseImageOf, type ImageSources } from "../../docker/image-sources.ts";
import { type ToolPart, toolLinks, toolParts, toolsFolder } from "./tools.ts";

/**
 * The only definition of the sandboxes' base image (spec 004, block 1.1.2). Docker builds the Dockerfile, Modal runs the same
 * commands on the same base, and the local provider mounts the same files and tools.
 */

const here = dirname(fileURLToPath(import.meta.url));

/** Node 22 on Debian 12, whose Python is 3.11. NodeSource's script and repository, as in spec 004, can't be pinned. */
const nodeVersion = "22.23.3";
export const baseImage = baseImageOf({}, nodeVersion);

/** Debian's archive of all its versions. */
const snapshotArchive = "http://snapshot.debian.org/archive/{archive}/{date}";

/** Spec 004's list. Debian's own `gh` and `chromium` are added, because the archive pins them too. */
export const debianPackages = [
  ...["git", "curl", "wget", "jq", "ripgrep", "tree", "fd-find", "vim", "less", "build-essential"],
  // What Chromium needs.
  ...["libnss3", "libnspr4", "libatk1.0-0", "libatk-bridge2.0-0", "libcups2", "libdrm2", "libdbus-1-3"],
  ...["libxkbcommon0", "libatspi2.0-0", "libxcomposite1", "libxdamage1", "libxfixes3", "libxrandr2", "libgbm1"],
  "libasound2",
  ...["ca-certificates", "python3", "python3-venv", "python3-pip", "gh"],
  // Both MCP servers for browsers accept it. No lock file pins Playwright's own download.
  ...["chromium", "fonts-liberation"],
] as const;

/** The files of /app, by their paths below it. */
export function appFiles(): ReadonlyMap<string, string> {
  return filesBelow(join(here, "app"));
}

/** Environment variables of every program in a sandbox. */
export const imageEnvironment = {
  HOME: "/root",
  USER: "root",
  LOGNAME: "root",
  SHELL: "/bin/bash",
  LANG: "C.UTF-8",
  TMPDIR: "/tmp",
  // Claude Code runs as root only if this says that it is confined.
  IS_SANDBOX: "1",
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: "1",
} as const;

/** The Dockerfile's commands after `FROM`. They need no build context, and contain no secrets. */
export function dockerfileCommands(sources: ImageSources = {}): readonly string[] {
  return commands(compress, sources);
}

function commands(pack: Pack, sources: ImageSources): readonly string[] {
  return [
    ...trustCommands(sources, pack),
    debianCommand(sources.debianArchive ?? snapshotArchive),
    run(
      "apt-get update",
      "export DEBIAN_FRONTEND=noninteractive",
      "apt-get upgrade -y",
      `apt-get install -y --no-install-recommends ${debianPackages.join(" ")}`,
      "apt-get clean",
      "rm -rf /var/lib/apt/lists/*",
      ...(sources.certificates === undefined ? [] : [`rm ${aptTrustFile}`]),
    ),
    "RUN ln -s /usr/bin/fdfind /usr/local/bin/fd && node --version && npm --version",
    ...registryCommands(sources),
    ...toolParts.map((part) => installPart(part, pack)),
    ...contentCommands(pack),
  ];
}

/** The commands that need no network: the folders, the files of /app, and the environment. */
export function contentCommands(pack: Pack = compress): readonly string[] {
  const variables = Object.entries(imageEnvironment).map(([name, value]) => `${name}=${value}`);
  return [
    "RUN mkdir -p /workspace /app/docs/ai /root/.mcp-memory",
    ...[...appFiles()].map(([path, text]) => `RUN ${writing(`/app/${path}`, text, pack)}`),
    `ENV ${variables.join(" ")}`,
    "WORKDIR /",
  ];
}

export function dockerfile(sources: ImageSources = {}): string {
  return `FROM ${baseImageOf(sources, nodeVersion)}\n${dockerfileCommands(sources).join("\n")}\n`;
}

/** The image's id: 16 hexadecimal digits, the same for the same content. */
export function imageId(): string {
  // Compressed text would differ between versions of zlib.
  const content = JSON.stringify([baseImage, ...commands((text) => text, {})]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/** Installs a part from its lock file, without install scripts, like the local provider. */
function installPart(part: ToolPart, pack: Pack): string {
  const folder = `${toolsFolder}/${part}`;
  const links = Object.entries(toolLinks[part]).map(
    ([name, pattern]) => `ln -sf "$(ls -d ${folder}/node_modules/${pattern} | head -n 1)" node_modules/.bin/${name}`,
  );
  return run(
    `mkdir -p ${folder}`,
    `cd ${folder}`,
    ...[...partFiles(part)].map(([name, text]) => writing(`${folder}/${name}`, text, pack)),
    "npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error",
    ...links,
    "ln -sf $PWD/node_modules/.bin/* /usr/local/bin/",
    "rm -rf /root/.npm /tmp/node-compile-cache",
  );
}

/** A part's package.json and package-lock.json. */
function partFiles(part: ToolPart): ReadonlyMap<string, string> {
  return filesBelow(join(here, "tools", part));
}

function filesBelow(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}
