import { mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { version as command } from "./command/version.ts";
import { version as docker } from "./docker/version.ts";

/** The plugins that can be replaced, with the version that each stand-in replaces. */
const standIns = { command, docker } as const;
export type PluginName = keyof typeof standIns;

export interface InstallOptions {
  /** A PULUMI_HOME of this project alone. */
  pulumiHome: string;
  /** Absolute path of the Node that runs the plugin, 24 or later. */
  node: string;
  /** The user's own PULUMI_HOME, if it is not `~/.pulumi`. Rejected as a target too. */
  ownPulumiHome?: string;
}

export interface Installed {
  /** The plugin's folder. */
  folder: string;
  /** False if the same plugin was already installed. */
  changed: boolean;
}

/**
 * Installs the stand-in for one of Pulumi's plugins into `pulumiHome`, atomically, unless it is already installed.
 *
 * @throws {Error} if `pulumiHome` is the user's own, or contains another plugin of that name
 */
export async function installPlugin(name: PluginName, options: InstallOptions): Promise<Installed> {
  const { pulumiHome, node, ownPulumiHome } = options;
  const version = standIns[name];
  const own = [join(homedir(), ".pulumi"), ...(ownPulumiHome === undefined ? [] : [ownPulumiHome])];
  const [target, ...theirs] = await Promise.all([pulumiHome, ...own].map(resolveLinks));
  if (target !== undefined && theirs.includes(target)) {
    throw new Error(
      `${pulumiHome} is your own Pulumi home: other projects would use the stand-in for the ${name} plugin there. ` +
        `Name a folder of its own, or install the official plugin: pulumi plugin install resource ${name} ${version}`,
    );
  }
  const plugins = join(pulumiHome, "plugins");
  const folder = join(plugins, `resource-${name}-v${version}`);
  const files = await contents(name, node);
  const state = await compare(folder, launcherOf(name), files);
  if (state === "same") return { folder, changed: false };
  if (state === "foreign") {
    throw new Error(`${folder} holds a ${name} plugin that is not the stand-in; remove it first, or keep using it`);
  }
  await mkdir(plugins, { recursive: true });
  // Pulumi does not list a folder whose name begins with a dot.
  const staging = await mkdtemp(join(plugins, `.${name}-`));
  try {
    for (const [file, { content, mode }] of Object.entries(files))
      await writeFile(join(staging, file), content, { mode });
    await replace(folder, staging);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return { folder, changed: true };
}

const resolveLinks = (path: string): Promise<string> => realpath(path).catch(() => path);

interface File {
  content: string;
  mode: number;
}

const launcherOf = (name: PluginName): string => `pulumi-resource-${name}`;
const entry = "start.cjs";

async function contents(name: PluginName, node: string): Promise<Record<string, File>> {
  const source = `scripts/stack/plugins/${name}/plugin.ts`;
  const result = await build({
    entryPoints: [join(import.meta.dirname, "../../..", source)],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node24",
    minify: true,
    // Node prints the source line of an uncaught error.
    lineLimit: 200,
    write: false,
    logLevel: "silent",
  });
  const bundle = result.outputFiles[0]?.text;
  if (bundle === undefined) throw new Error(`esbuild made no bundle of ${source}`);
  return {
    [launcherOf(name)]: { content: launcherScript(name, node), mode: 0o755 },
    // Node caches the compiled code beside the plugin, which halves the start-up cost over Node's own.
    [entry]: {
      content: `require("node:module").enableCompileCache(__dirname + "/compiled");\nrequire("./plugin.cjs");\n`,
      mode: 0o644,
    },
    "plugin.cjs": { content: bundle, mode: 0o644 },
  };
}

const launcherScript = (name: PluginName, node: string): string => `#!/bin/sh
# Stands in for Pulumi's ${name} plugin ${standIns[name]}; made by scripts/stack/plugins/install.ts of changelings.
exec '${node.replaceAll("'", "'\\''")}' "\${0%/*}/${entry}" "$@"
`;

async function compare(
  folder: string,
  launcher: string,
  files: Record<string, File>,
): Promise<"absent" | "same" | "other" | "foreign"> {
  const read = (name: string) => readFile(join(folder, name), "utf8").catch(() => undefined);
  if ((await read(launcher)) === undefined) return "absent";
  if ((await read(entry)) === undefined) return "foreign";
  const same = await Promise.all(
    Object.entries(files).map(async ([name, { content }]) => (await read(name)) === content),
  );
  return same.every(Boolean) ? "same" : "other";
}

/**
 * Folders can't be swapped in one step, so the old one is moved aside first. Of two concurrent installers, one wins.
 */
async function replace(folder: string, staging: string): Promise<void> {
  const aside = `${staging}-old`;
  await rename(folder, aside).catch(ignore("ENOENT"));
  await rename(staging, folder).catch(ignore("ENOTEMPTY", "EEXIST"));
  await rm(aside, { recursive: true, force: true });
}

const ignore =
  (...codes: string[]) =>
  (error: unknown) => {
    if (!(error instanceof Error && "code" in error && codes.includes(String(error.code)))) throw error;
  };
