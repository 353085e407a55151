import { join } from "node:path";
import { dockerClient } from "../../docker/client.ts";
import { imageSources } from "../../docker/image-sources.ts";
import { runDocker } from "../../docker/run-docker.ts";
import { LogTail } from "../../lib/log-tail.ts";
import { printNote } from "../../lib/terminal.ts";
import { clisOf, contextFor } from "../image/context.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { imageName, imageRepository, isImageOf, type Owner } from "./names.ts";

/** Enough for a slow machine that downloads the base image and a CLI. */
const buildSeconds = 1500;
const otherSeconds = 60;

export interface ImageOptions {
  readonly env: NodeJS.ProcessEnv;
  /** For the build context. */
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
  /** For tests: another program than the service's. */
  readonly main?: string | undefined;
}

/** Builds the image of these sources unless Docker has it. @returns its name @throws DockerError */
export async function ensureImage(owner: Owner, spec: SeedAgentSpec, options: ImageOptions): Promise<string> {
  const { env, folder, signal, main, onProgress } = options;
  const context = await contextFor({
    folder: join(folder, "image"),
    clis: clisOf(spec),
    sources: imageSources(env),
    main,
  });
  const image = imageName(owner, context.release);
  const found = await runDocker(["image", "ls", "--quiet", image], { env, signal, timeoutSeconds: otherSeconds });
  if (found.stdout.trim() !== "") return image;
  onProgress?.(`building the image ${image}; this may take minutes`);
  // Docker repeats each command, and one contains the certificates.
  const log = new LogTail((line) => printNote(`${line}\n`));
  const onOutput = (text: string) => log.add(text);
  try {
    await runDocker(["build", "--tag", image, context.folder], { env, signal, timeoutSeconds: buildSeconds, onOutput });
  } finally {
    log.end();
  }
  return image;
}

/** Removes the agent's images that no container uses, except this one. */
export async function removeOtherImages(owner: Owner, keep: string | undefined, env: NodeJS.ProcessEnv): Promise<void> {
  const pattern = `reference=${imageRepository}:${owner.installation}-*`;
  const list = ["image", "ls", "--filter", pattern, "--format", "{{.Repository}}:{{.Tag}}"];
  const { stdout } = await runDocker(list, { env, timeoutSeconds: otherSeconds });
  const { removeImage } = dockerClient(env);
  for (const image of stdout.split("\n").filter((each) => isImageOf(owner, each) && each !== keep))
    await removeImage(image);
}
