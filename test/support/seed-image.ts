import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextFor } from "../../components/seed-agent/image/context.ts";
import { NPM_FLAGS, npm } from "../../scripts/stack/setup/npm.mjs";
import { setUpSandboxTools } from "../../scripts/stack/setup/sandbox-tools.ts";
import { which } from "../../scripts/stack/setup/toolchain.mjs";
import type { DockerEngine } from "./docker-engine.ts";

/**
 * Makes the base of the seed agent's image, under its own name, on a daemon that reaches no registry: this Node and its
 * npm, bubblewrap, tini, and the packages of the image in npm's cache.
 *
 * @param main the program, by default the service's
 * @returns the name of the base
 */
export async function makeSeedBase({ docker, baseImage }: DockerEngine, main?: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "seed-base-"));
  try {
    const { folder: context } = await contextFor({ folder: join(folder, "context"), main });
    const base = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(context, "Dockerfile"), "utf8"))?.[1] ?? "";
    const install = join(folder, "install");
    mkdirSync(install);
    for (const name of ["package.json", "package-lock.json"]) copyFileSync(join(context, name), join(install, name));
    const [program, ...npmArgs] = npm(process.execPath);
    const cache = join(folder, "npm-cache");
    execFileSync(program, [...npmArgs, "ci", ...NPM_FLAGS, "--cache", cache], { cwd: install, stdio: "ignore" });
    rmSync(install, { recursive: true });
    rmSync(context, { recursive: true });
    const { bwrap } = await setUpSandboxTools([]);
    const tini = which("tini") ?? which("docker-init");
    if (tini === null) throw new Error("tini is not on PATH; it belongs to Docker: docker-init");
    copyFileSync(process.execPath, join(folder, "node"));
    copyFileSync(bwrap, join(folder, "bwrap"));
    copyFileSync(tini, join(folder, "tini"));
    const npmCli = realpathSync(npmArgs[0] ?? which("npm") ?? "");
    cpSync(join(npmCli, "../.."), join(folder, "npm"), { recursive: true, dereference: true });
    const lines = [
      `FROM ${baseImage}`,
      "COPY node bwrap tini /usr/local/bin/",
      "COPY npm /usr/local/lib/node_modules/npm",
      "COPY npm-cache /root/.npm",
      // So that ca-certificates is not installed.
      "RUN mkdir -p /etc/ssl/certs && touch /etc/ssl/certs/ca-certificates.crt",
      "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm",
    ];
    writeFileSync(join(folder, "Dockerfile"), `${lines.join("\n")}\n`);
    await docker("build", "--quiet", "--tag", base, folder);
    return base;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
