import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { debianCommand, registryCommands, trustCommands } from "../../docker/dockerfile.ts";
import { baseImageOf, type ImageSources } from "../../docker/image-sources.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { bundleProgram } from "./bundle.ts";
import { packageFiles } from "./packages.ts";

/**
 * The image of the service, for Docker, Fly.io and Kubernetes: a folder with a Dockerfile and everything that it copies. It
 * contains no secret, time or path of this machine: the same sources make the same folder.
 */

/** A CLI that writes improvements; 400 MB each. */
export type Cli = SeedAgentSpec["model"];

export interface ContextOptions {
  /** The CLIs in the image; see `clisOf`. */
  readonly clis?: readonly Cli[] | undefined;
  /** A company's mirrors. They don't change the release. */
  readonly sources?: ImageSources | undefined;
  /** For tests: another program than the service's. */
  readonly main?: string | undefined;
}

export interface ImageContext {
  readonly folder: string;
  /** Identifies the content: the program's version and a hash, `0.1.0-0f3a…`. Can be an image's tag, and a label. */
  readonly release: string;
}

const here = dirname(fileURLToPath(import.meta.url));
const packageRoot = join(here, "..", "..", "..");
/** In the built package: the program's bundle and its packages, from `npm run build`. */
const builtFolder = join(here, "built");

/** The CLIs that an agent needs: that of its model, if it improves itself. */
export function clisOf({ mode, model }: Pick<SeedAgentSpec, "mode" | "model">): readonly Cli[] {
  return mode === "off" ? [] : [model];
}

/**
 * Writes the build context.
 *
 * @param folder is replaced
 * @throws if bundling fails
 */
export async function contextFor({ folder, ...options }: ContextOptions & { folder: string }): Promise<ImageContext> {
  const { files, release } = await content(options);
  rmSync(folder, { recursive: true, force: true });
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return { folder, release };
}

/** The release of these sources, without writing anything. @throws if bundling fails */
export async function release(options: ContextOptions = {}): Promise<string> {
  return (await content(options)).release;
}

type Files = ReadonlyMap<string, string>;

async function content({ clis = [], sources = {}, main }: ContextOptions): Promise<{ files: Files; release: string }> {
  const program = await programFiles(main);
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(program.get("package.json") ?? "{}"));
  const files = new Map([
    ...["Dockerfile", "install-packages.sh", "entrypoint.sh", "healthcheck.mjs"].map(own),
    ["clis/install-clis.sh", own("install-clis.sh")[1]] as const,
    ...[...clis].sort().flatMap(cliFiles),
    ...program,
    [".dockerignore", "**/.git\n**/.env*\n**/node_modules\n"] as const,
  ]);
  const hash = createHash("sha256");
  for (const path of [...files.keys()].sort()) hash.update(JSON.stringify([path, files.get(path)]));
  const id = `${version}-${hash.digest("hex").slice(0, 12)}`;
  const dockerfile = (files.get("Dockerfile") ?? "").replace(/^ARG RELEASE$/m, `ARG RELEASE=${id}`);
  return { files: files.set("Dockerfile", withSources(dockerfile, sources)), release: id };
}

/** The Dockerfile, with a company's mirrors. */
function withSources(dockerfile: string, sources: ImageSources): string {
  const mirrors = [
    ...trustCommands(sources),
    ...(sources.debianArchive === undefined ? [] : [debianCommand(sources.debianArchive)]),
    ...registryCommands(sources),
  ];
  return dockerfile
    .replace(/^(ARG NODE_IMAGE=)node:([\d.]+)-\S+$/m, (_, name, version) => name + baseImageOf(sources, version))
    .replace(/^# A company's mirrors .*$/m, (line) => [line, ...mirrors].join("\n"));
}

const own = (name: string) => [name, readFileSync(join(here, name), "utf8")] as const;

/** The program, with its package.json and package-lock.json. */
export async function programFiles(main?: string): Promise<Files> {
  if (main === undefined && existsSync(builtFolder)) return filesBelow(builtFolder);
  const bundle = await bundleProgram(main);
  return new Map([
    ...[...bundle].map(([path, text]) => [`program/${path}`, text] as const),
    ...packageFiles(join(packageRoot, "package-lock.json"), programVersion()),
  ]);
}

/** `VERSION`, which releases write; else package.json's. */
function programVersion(): string {
  const path = join(packageRoot, "VERSION");
  if (existsSync(path)) return readFileSync(path, "utf8").trim();
  const text = readFileSync(join(packageRoot, "package.json"), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** The CLI's package files: the same pinned packages as in sandboxes. */
function cliFiles(cli: Cli): (readonly [string, string])[] {
  const folder = join(here, "..", "..", "sandbox", "image", "tools", cli);
  return ["package.json", "package-lock.json"].map(
    (name) => [`clis/${cli}/${name}`, readFileSync(join(folder, name), "utf8")] as const,
  );
}

function filesBelow(folder: string): Files {
  const paths = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  return new Map(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}
