import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { dockerClient } from "../../../docker/client.ts";
import { runDocker } from "../../../docker/run-docker.ts";
import { programVersion } from "../../../host/supervision/program-version.ts";
import { printNote } from "../../../lib/terminal.ts";
import { forwardingPackages } from "../state.ts";
import { bundleProgram } from "./bundle.ts";
import type { MachineContext } from "./machine-context.ts";
import { imageRepository, imageTagPrefix } from "./names.ts";

/** Inputs of an image build. */
export type BuiltWith = Pick<MachineContext, "person" | "uid" | "gid" | "home"> & {
  /** `KEY=VALUE`, from the fleet file. */
  readonly buildArgs: readonly string[];
};

const here = dirname(fileURLToPath(import.meta.url));
const packageRoot = join(here, "../../../..");

/** Other files that the build reads, from a checkout or the built package. */
const buildFiles = {
  Dockerfile: join(here, "Dockerfile"),
  "install-tools.sh": join(here, "install-tools.sh"),
  "requirements.txt": join(packageRoot, "scripts/stack/setup/requirements.txt"),
};

/** Allows for a slow machine that downloads the base images and mngr. */
const buildSeconds = 1500;
const otherSeconds = 60;

/** The image of an installation, with the version of its contents. */
export function imageName(installation: string, builtWith: BuiltWith): string {
  const hash = createHash("sha256");
  for (const module of ["main", "relay", "bundle"])
    hash.update(programVersion(`web/forwarding/docker/${module}`, forwardingPackages));
  for (const path of Object.values(buildFiles)) hash.update(readFileSync(path));
  hash.update(JSON.stringify(buildArguments(builtWith)));
  return `${imageRepository}:${imageTagPrefix(installation)}${hash.digest("hex").slice(0, 16)}`;
}

/**
 * Builds an image. Docker's progress is written to stderr.
 * @throws DockerError with Docker's reason
 */
export async function buildImage(image: string, builtWith: BuiltWith): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), "forwarding-image-"));
  try {
    for (const [name, path] of Object.entries(buildFiles)) copyFileSync(path, join(context, name));
    await bundleProgram(join(context, "program"));
    const args = buildArguments(builtWith).flatMap((arg) => ["--build-arg", arg]);
    await runDocker(["build", "--tag", image, ...args, context], { timeoutSeconds: buildSeconds, onOutput: printNote });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/**
 * Removes the images of an installation that no container uses; ignores missing ones.
 * @param except an image to keep
 */
export async function removeImages(installation: string, except?: string): Promise<void> {
  const pattern = `reference=${imageRepository}:${imageTagPrefix(installation)}*`;
  const list = ["image", "ls", "--filter", pattern, "--format", "{{.Repository}}:{{.Tag}}"];
  const images = (await runDocker(list, { timeoutSeconds: otherSeconds })).stdout.split("\n").filter(Boolean);
  const { removeImage } = dockerClient(process.env);
  for (const image of images.filter((each) => each !== except)) await removeImage(image);
}

/** In the order of the build. */
function buildArguments({ person, uid, gid, home, buildArgs }: BuiltWith): string[] {
  return [...buildArgs, ...[`PERSON=${person}`, `PERSON_UID=${uid}`, `PERSON_GID=${gid}`, `PERSON_HOME=${home}`]];
}
