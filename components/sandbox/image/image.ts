import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type ImageSources, publicSources } from "./sources.ts";
import { type ToolPart, toolLinks, toolParts, toolsFolder } from "./tools.ts";

/**
 * The base image of sandboxes (spec 004, block 1.1.2). This is its only definition: Docker builds the Dockerfile, Modal
 * applies the same commands to the same base, and the local provider mounts the same files and tools.
 */

const here = dirname(fileURLToPath(import.meta.url));

/** Node 22 on Debian 12, whose Python is 3.11. NodeSource's script and repository, as in spec 004, can't be pinned. */
export const baseImage = "node:22.23.3-bookworm-slim";

/**
 * Debian's packages as of this day, from Debian's archive of all its versions: apt can't pin a package whose successor
 * replaced it on the mirrors. It must be later than the base image's date, or apt would have to downgrade: the tag was
 * built again until Node 22.23.5, of 2026-11-12.
 */
const packagesAsOf = "20261120T000000Z";

/** Spec 004's list. Debian's own `gh` and `chromium` are added, because the archive pins them too. */
export const debianPackages = [
  ...["git", "curl", "wget", "jq", "ripgrep", "tree", "fd-find", "vim", "less", "build-essential"],
  // What Chromium needs.
  ...["libnss3", "libnspr4", "libatk1.0-0", "libatk-bridge2.0-0", "libcups2", "libdrm2", "libdbus-1-3"],
  ...["libxkbcommon0", "libatspi2.0-0", "libxcomposite1", "libxdamage1", "libxfixes3", "libxrandr2", "libgbm1"],
  "libasound2",
  ...["ca-certificates", "python3", "python3-venv", "python3-pip", "gh"],
  // Both MCP servers that drive a browser accept it. Playwright's own download is not pinned by any lock file.
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

/** The commands of the Dockerfile below its `FROM`. They need no build context, and contain no secrets. */
export function dockerfileCommands(sources: ImageSources = publicSources): readonly string[] {
  return commands(compress, sources);
}

/** @param pack how the text of a file is written in a command */
function commands(pack: Pack, { debianArchive, npmRegistry, certificates }: ImageSources): readonly string[] {
  const line = (suite: string, archive: string) => {
    const address = debianArchive.replaceAll("{archive}", archive).replaceAll("{date}", packagesAsOf);
    return `deb [check-valid-until=no] ${address} ${suite} main`;
  };
  const lines = [
    line("bookworm", "debian"),
    line("bookworm-updates", "debian"),
    line("bookworm-security", "debian-security"),
  ];
  return [
    ...(certificates === undefined ? [] : trusting(certificates, pack)),
    `RUN rm -f /etc/apt/sources.list.d/* && printf '%s\\n' ${lines.map((each) => `'${each}'`).join(" ")} > /etc/apt/sources.list`,
    run(
      "apt-get update",
      "export DEBIAN_FRONTEND=noninteractive",
      "apt-get upgrade -y",
      `apt-get install -y --no-install-recommends ${debianPackages.join(" ")}`,
      "apt-get clean",
      "rm -rf /var/lib/apt/lists/*",
      ...(certificates === undefined ? [] : [`rm ${aptSettings}`]),
    ),
    "RUN ln -s /usr/bin/fdfind /usr/local/bin/fd && node --version && npm --version",
    ...(npmRegistry === undefined ? [] : [`RUN npm config set --global registry ${npmRegistry}`]),
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

export function dockerfile(sources: ImageSources = publicSources): string {
  return `FROM ${sources.base ?? baseImage}\n${dockerfileCommands(sources).join("\n")}\n`;
}

/** The image's id: 16 hexadecimal digits, the same for the same content. */
export function imageId(): string {
  // Not of compressed text: that differs with the version of zlib.
  const content = JSON.stringify([baseImage, ...commands((text) => text, publicSources)]);
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

const aptSettings = "/etc/apt/apt.conf.d/90changelings";

/**
 * Trusts more authorities than Debian's. The package ca-certificates adds this file to its bundle when it is installed;
 * until then apt needs it for a mirror of https. Node has its own list of authorities.
 */
function trusting(certificates: string, pack: Pack): readonly string[] {
  const file = "/usr/local/share/ca-certificates/changelings.crt";
  return [
    run(
      "mkdir -p /usr/local/share/ca-certificates",
      writing(file, certificates, pack),
      `printf 'Acquire::https::CAInfo "%s";\\n' ${file} > ${aptSettings}`,
    ),
    `ENV NODE_EXTRA_CA_CERTS=${file}`,
  ];
}

/** Installs a part as the local provider does: from its lock file, without install scripts. */
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

type Pack = (text: string) => string;

/** In base64, so that the text is safe in any shell, and compressed, because a line of a Dockerfile is 64 kB at most. */
const compress: Pack = (text) => gzipSync(text, { level: 9 }).toString("base64");

/** The file is in the command itself, so that no build context has to be sent. */
function writing(path: string, text: string, pack: Pack): string {
  return `echo ${pack(text)} | base64 -d | gunzip > ${path}`;
}

function run(...commands: readonly string[]): string {
  return `RUN ${commands.join(" && ")}`;
}

function filesBelow(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}
