import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { imageSources } from "../../components/docker/image-sources.ts";
import { dockerSandboxes } from "../../components/sandbox/docker/provider.ts";
import { dockerfile } from "../../components/sandbox/image/image.ts";
import { cacheFolder, keyOf } from "../../scripts/stack/setup/cache.mjs";
import { installFolder } from "../../scripts/stack/setup/install.mjs";
import { step } from "../../scripts/stack/setup/progress.mjs";
import { type MirroredDocker, mirroredDocker } from "./image-mirrors.ts";
import { node22 } from "./node-base.ts";

/** The sandboxes' real base image, on a daemon of the test's own. */
export interface SandboxImage extends MirroredDocker {
  /** As the docker provider names it. */
  readonly image: string;
  /** The Dockerfile that it was built from. */
  readonly dockerfile: string;
  /** What the build printed; undefined if the image was in the cache. */
  readonly log: readonly string[] | undefined;
}

/** Each image is 2 GB. */
const keptImages = 2;

/**
 * Builds the image as a user's `up` does, by the docker provider. The result is kept in the cache, by its content.
 *
 * @returns the reason if it can't be built on this machine
 */
export async function sandboxImage(): Promise<SandboxImage | string> {
  const mirrored = await mirroredDocker(node22);
  if (typeof mirrored === "string") return mirrored;
  try {
    const env = { ...process.env, ...mirrored.variables };
    const text = dockerfile(imageSources(env));
    return { ...mirrored, dockerfile: text, ...(await buildOrLoad(mirrored, text, env)) };
  } catch (error) {
    await mirrored[Symbol.asyncDispose]();
    throw error;
  }
}

async function buildOrLoad({ engine: { docker }, base, folder }: MirroredDocker, text: string, env: NodeJS.ProcessEnv) {
  let log: string[] | undefined;
  const provider = dockerSandboxes({ installation: "image", sandboxes: join(folder, "sandboxes"), env });
  const images = join(cacheFolder(), "sandbox-image");
  const cached = join(images, keyOf({ texts: [text, "with its base"] }));
  await installFolder(cached, async (temporary) => {
    await docker("import", "--change", 'CMD ["node"]', base.tarball, base.name);
    const lines: string[] = [];
    await step("Building the base image of sandboxes (some minutes, once)", async () => {
      const image = await provider.prepareImage({ onProgress: (line) => lines.push(line) });
      // With its base: Docker reuses layers only on the very image that they were built on.
      await docker("save", "--output", join(temporary, "image.tar"), image, base.name);
    });
    writeFileSync(join(temporary, "build.log"), lines.join("\n"));
    log = lines;
  });
  if (log === undefined) await docker("load", "--quiet", "--input", join(cached, "image.tar"));
  removeOldest(images);
  return { image: await provider.prepareImage({}), log };
}

function removeOldest(images: string): void {
  const time = (name: string) => statSync(join(images, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const names = readdirSync(images).filter((name) => /^[0-9a-f]+$/.test(name));
  for (const name of names.sort((one, other) => time(other) - time(one)).slice(keptImages)) {
    rmSync(join(images, name), { recursive: true, force: true });
  }
}
