import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { which } from "../../scripts/stack/setup/toolchain.mjs";
import type { DockerEngine } from "./docker-engine.ts";
import { pythonOfMngr } from "./python-of-mngr.ts";

/** The parts of an installed Python that no program here needs. */
const without = ["lib/python3*/test", "lib/python3*/config-3*", "lib/python3*/idlelib", "__pycache__", "*.a"];

/**
 * Creates an image with everything that the forwarding server's image needs, so that nothing is downloaded: this Node,
 * this docker, and the Python with mngr from PATH, at their own paths.
 *
 * @param name of the image, which must not exist
 * @returns build arguments for the forwarding server's image; empty, for its usual bases, if this machine's Python is
 *   part of the system and can't be moved
 */
export async function imageArguments({ docker, baseImage }: DockerEngine, name: string): Promise<string[]> {
  const ask = (expression: string) =>
    execFileSync(pythonOfMngr(), ["-c", `import sys; print(${expression})`], { encoding: "utf8" }).trim();
  const [base, environment] = [ask("sys.base_prefix"), ask("sys.prefix")];
  if (base === "/usr") return [];
  const context = mkdtempSync(join(tmpdir(), "forwarding-base-"));
  try {
    const exclude = without.map((pattern) => `--exclude=*/${pattern}`);
    const trees = [...new Set([base, environment])].map((folder) => folder.slice(1));
    execFileSync("tar", ["--create", "--file", join(context, "python.tar"), ...exclude, "--directory=/", ...trees]);
    copyFileSync(process.execPath, join(context, "node"));
    copyFileSync(which("docker") ?? "", join(context, "docker"));
    const lines = [`FROM ${baseImage}`, "ADD python.tar /", "COPY node docker /usr/local/bin/"];
    // An environment that uv has made has no pip.
    lines.push(`RUN ${environment}/bin/python3 -m ensurepip`);
    const path = [`${environment}/bin`, "/usr/local/bin", "/usr/bin", "/bin"].join(":");
    writeFileSync(join(context, "Dockerfile"), [...lines, `ENV PATH=${path}`, ""].join("\n"));
    await docker("build", "--quiet", "--tag", name, context);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
  return ["NODE_IMAGE", "PYTHON_IMAGE", "DOCKER_IMAGE"].map((argument) => `${argument}=${name}`);
}
