import * as z from "zod/mini";
import { DockerError, runDocker } from "../../docker/run-docker.ts";
import { SeedAgentError } from "../provider.ts";
import { imageArguments } from "./arguments.ts";

export interface ImageOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Writes the build context, and returns its folder. */
  readonly context: () => Promise<string>;
  readonly onProgress?: ((line: string) => void) | undefined;
}

const seconds = { build: 3600, push: 3600, asked: 60 };

/**
 * Builds the image and pushes it with the user's own Docker and its login. An image with a digest exists already.
 *
 * @returns the image with its digest, so that all nodes run the same image even if the tag is moved
 * @throws SeedAgentError with the remedy
 */
export async function pushedImage(image: string, { env, context, onProgress }: ImageOptions): Promise<string> {
  if (image.includes("@sha256:")) return image;
  const run = async (args: readonly string[], timeoutSeconds: number) =>
    (await runDocker(args, { env, timeoutSeconds })).stdout.trim();
  try {
    onProgress?.(`Building ${image}`);
    await run(imageArguments.build(image, await context()), seconds.build);
    onProgress?.(`Pushing ${image}`);
    await run(imageArguments.push(image), seconds.push);
    const digests = z
      .array(z.string())
      .parse(JSON.parse(await run(imageArguments.digests(image), seconds.asked)) ?? []);
    const repository = image.replace(/:[^/:]*$/, "");
    const digest = digests.find((each) => each.startsWith(`${repository}@`))?.slice(repository.length);
    return digest === undefined ? image : `${image}${digest}`;
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    const remedy = /denied|unauthorized|authentication required/i.test(error.message)
      ? `log in to the registry: docker login ${image.split("/")[0]}`
      : 'repair that, or push the image yourself and declare it with its digest: container_image = "registry/name@sha256:…"';
    throw new SeedAgentError(`The image ${image} can't be built and pushed: ${error.message}; ${remedy}`);
  }
}
