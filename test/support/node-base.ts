import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, keyOf, platform } from "../../scripts/stack/setup/cache.mjs";
import { installFolder } from "../../scripts/stack/setup/install.mjs";
import { installPackage } from "../../scripts/stack/setup/npm.mjs";
import { step } from "../../scripts/stack/setup/progress.mjs";
import versions from "../../scripts/stack/setup/versions.json" with { type: "json" };

/** A root file system like that of Docker Hub's `node:<version>-bookworm-slim`, made from Debian's mirror and npm. */
export interface NodeBase {
  readonly tarball: string;
  /** Identifies its content. */
  readonly key: string;
}

/** A release of Node, with the integrity of npm's package of it by architecture. */
export interface NodeRelease {
  readonly version: string;
  readonly x64: string;
  readonly arm64: string;
}

export const node22: NodeRelease = {
  version: "22.23.3",
  x64: "sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
  arm64: "sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==",
};

/** The one that setup installs. */
export const node24: NodeRelease = {
  version: versions.node.packages["linux-x64"].version,
  x64: versions.node.packages["linux-x64"].integrity,
  arm64: versions.node.packages["linux-arm64"].integrity,
};

/** Node 22 comes with an npm 10, which also runs on Node 24. */
const npmPackage = {
  name: "npm",
  version: "10.9.4",
  integrity: "sha512-OnUG836FwboQIbqtefDNlyR0gTHzIfwRfE3DuiNewBvnMnWEpB0VEXwBlFVgqpNzIgYo/MHh3d2Hel/pszapAA==",
};
const without = ["man", "doc", "locale"].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`);

/** Made once per content, in the cache. mmdebstrap must be installed, as `setUpDocker` makes sure. */
export async function makeNodeBase(release: NodeRelease): Promise<NodeBase> {
  const key = keyOf({ texts: [platform, release.version, npmPackage.integrity, ...without] });
  const folder = join(cacheFolder(), "sandbox-base", key);
  await installFolder(folder, async (temporary) => {
    const local = join(temporary, "local");
    for (const each of ["bin", "lib/node_modules"]) mkdirSync(join(local, each), { recursive: true });
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    const node = { name: `node-linux-${arch}`, version: release.version, integrity: release[arch] };
    for (const wanted of [node, npmPackage]) {
      const install = join(temporary, wanted.name);
      mkdirSync(install);
      await installPackage(wanted, { log: "sandbox-base", folder: install });
    }
    renameSync(join(temporary, node.name, "node_modules", node.name, "bin/node"), join(local, "bin/node"));
    cpSync(join(temporary, "npm/node_modules/npm"), join(local, "lib/node_modules/npm"), { recursive: true });
    for (const file of ["npm-cli.js", "npx-cli.js"]) chmodSync(join(local, "lib/node_modules/npm/bin", file), 0o755);
    const links = ["npm", "npx"].map(
      (name) => `ln -s ../lib/node_modules/npm/bin/${name}-cli.js "$1/usr/local/bin/${name}"`,
    );
    const hooks = [`cp -R ${local}/. "$1/usr/local/"`, ...links].map((hook) => `--customize-hook=${hook}`);
    const options = ["--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io", ...without, ...hooks];
    await step(`Making a root file system with Node ${release.version} (about a minute, once)`, async () =>
      execFileSync("mmdebstrap", [...options, "bookworm", join(temporary, "base.tar")], {
        stdio: ["ignore", "ignore", "inherit"],
      }),
    );
    for (const each of ["local", node.name, npmPackage.name]) rmSync(join(temporary, each), { recursive: true });
  });
  return { tarball: join(folder, "base.tar"), key };
}
