import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type LocalPart,
  localParts,
  type ToolPart,
  toolLinks,
  toolParts,
} from "../../../components/sandbox/image/tools.ts";
import { cacheFolder, checkout, keyOf, platform } from "./cache.mjs";
import { installFolder } from "./install.mjs";
import { NPM_FLAGS, npm } from "./npm.mjs";
import { SetupError, step } from "./progress.mjs";
import { run, runSetup } from "./run.mjs";
import { setUpSandboxMngr } from "./sandbox-mngr.ts";
import { which } from "./toolchain.mjs";
import { outputOf, remedy } from "./tools.ts";

/** What the local provider of sandboxes runs on. All paths are absolute. */
export interface SandboxTools {
  readonly bwrap: string;
  /** The folders with the `node_modules` of the parts that were requested, and of those that were there already. */
  readonly parts: Readonly<Partial<Record<LocalPart, string>>>;
  /** More folders for the sandbox, by their paths in it. */
  readonly mounts: Readonly<Record<string, string>>;
}

/** Finds or installs bubblewrap, these parts of the image's npm packages, and mngr. @throws SetupError */
export async function setUpSandboxTools(parts: readonly LocalPart[]): Promise<SandboxTools> {
  const bwrap = await findBubblewrap();
  for (const part of toolParts) if (parts.includes(part)) await installPart(part);
  const there = toolParts.filter((part) => existsSync(folderOf(part)));
  const mngr = parts.includes("mngr") ? await setUpSandboxMngr() : undefined;
  return {
    bwrap,
    parts: {
      ...Object.fromEntries(there.map((part) => [part, folderOf(part)])),
      ...(mngr === undefined ? {} : { mngr: mngr.folder }),
    },
    mounts: mngr?.mounts ?? {},
  };
}

const sources = "components/sandbox/image/tools";

function folderOf(part: ToolPart): string {
  const links = JSON.stringify(toolLinks[part]);
  return join(
    cacheFolder(),
    "sandbox-tools",
    `${part}-${keyOf({ texts: [platform, links], paths: [join(sources, part)] })}`,
  );
}

/** Installs a part as the image does: from its lock file, without install scripts. */
async function installPart(part: ToolPart): Promise<void> {
  await installFolder(folderOf(part), (folder) =>
    step(`Installing the sandboxes' npm packages (${part}, once)`, async () => {
      for (const file of ["package.json", "package-lock.json"]) {
        copyFileSync(join(checkout, sources, part, file), join(folder, file));
      }
      const log = `sandbox-tools-${part}`;
      await run([...npm(process.execPath), "ci", ...NPM_FLAGS], { log, cwd: folder, timeoutSeconds: 900 });
      for (const [name, pattern] of Object.entries(toolLinks[part])) link(join(folder, "node_modules"), name, pattern);
    }),
  );
}

function link(modules: string, name: string, pattern: string): void {
  const [scope = "", packagePattern = "", file = ""] = pattern.split("/");
  const prefix = packagePattern.replace("*", "");
  const found = readdirSync(join(modules, scope)).find(
    (each) => each.startsWith(prefix) && existsSync(join(modules, scope, each, file)),
  );
  if (found === undefined) throw new SetupError(`npm has no ${name} for ${platform}`);
  const target = join(modules, ".bin", name);
  rmSync(target, { force: true });
  symlinkSync(join("..", scope, found, file), target);
}

/**
 * Returns the path of bubblewrap: from PATH, else Debian's package in the cache. Nothing is installed on the system.
 * apt-get checks the package's signature.
 */
async function findBubblewrap(): Promise<string> {
  const own = which("bwrap");
  if (own !== null) return own;
  const problem = "Sandboxes on this machine need bubblewrap, not found";
  const fix = `${remedy(["bubblewrap"])}; or set isolation = "none" for the changeling: then nothing confines it.`;
  if (process.platform !== "linux") {
    throw new SetupError("Sandboxes on this machine need Linux's namespaces", {
      remedy: 'Set provider = "docker" or "modal", or isolation = "none": then nothing confines the agent.',
    });
  }
  if (which("apt-get") === null || which("dpkg-deb") === null) throw new SetupError(problem, { remedy: fix });
  const folder = join(cacheFolder(), "bubblewrap", platform);
  const program = join(folder, "usr/bin/bwrap");
  await installFolder(folder, (temporary) =>
    step("Installing bubblewrap", async () => {
      const download = join(temporary, "download");
      mkdirSync(download);
      const fetch = () => run(["apt-get", "download", "bubblewrap"], { log: "bubblewrap", cwd: download });
      try {
        // Old package lists name files that no longer exist.
        await fetch().catch(async () => {
          await run(["apt-get", "update"], { log: "bubblewrap" });
          await fetch();
        });
        const [file = ""] = readdirSync(download);
        await run(["dpkg-deb", "-x", join(download, file), temporary], { log: "bubblewrap" });
        rmSync(download, { recursive: true });
        if (outputOf(join(temporary, "usr/bin/bwrap"), ["--version"]) === null) throw new SetupError(problem);
      } catch (error) {
        if (error instanceof SetupError) error.remedy = fix;
        throw error;
      }
    }),
  );
  return program;
}

/** As a program: `sandbox-tools.ts [PART…]` prints `SandboxTools` as JSON on stdout. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const isPart = (name: string): name is LocalPart => localParts.some((part) => part === name);
  await runSetup(async () => {
    const tools = await setUpSandboxTools(process.argv.slice(2).filter(isPart));
    process.stdout.write(`${JSON.stringify(tools)}\n`);
  });
}
