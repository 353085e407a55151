import { createHash } from "node:crypto";
import { imageSources } from "../../docker/image-sources.ts";
import { runDocker } from "../../docker/run-docker.ts";
import { messageOf } from "../../lib/as-error.ts";
import { LogTail, shortened } from "../../lib/log-tail.ts";
import { dockerfile } from "../image/image.ts";
import { type Progress, SandboxError } from "../provider.ts";

const repository = "changelings-sandbox";
const querySeconds = 60;
const buildSeconds = 3600;

/**
 * Builds the base image, unless there is one of the same Dockerfile.
 *
 * @param text the Dockerfile, built without a context; by default the sandboxes' own, with the mirrors in `env`
 * @returns its name
 * @throws SandboxError with the tail of the log
 */
export async function buildImage(
  text: string | undefined,
  { env, signal, onProgress }: Progress & { readonly env: NodeJS.ProcessEnv },
): Promise<string> {
  const definition = text ?? ownDockerfile(env);
  const image = `${repository}:${createHash("sha256").update(definition).digest("hex").slice(0, 16)}`;
  const listed = await runDocker(["image", "ls", "--quiet", image], { env, timeoutSeconds: querySeconds });
  if (listed.stdout.trim() !== "") return image;
  onProgress?.(`building the image ${image}, once; this may take minutes`);
  const log = new LogTail(onProgress);
  const onOutput = (part: string) => log.add(part);
  try {
    const args = ["build", "--tag", image, "-"];
    await runDocker(args, { env, timeoutSeconds: buildSeconds, input: definition, signal, onOutput });
    return image;
  } catch (error) {
    signal?.throwIfAborted();
    log.end();
    // Docker's message contains the whole failed command.
    const reason = error instanceof Error ? shortened(error.message) : String(error);
    throw new SandboxError("image", [reason, ...log.lines].join("\n"), { cause: error });
  }
}

function ownDockerfile(env: NodeJS.ProcessEnv): string {
  try {
    return dockerfile(imageSources(env));
  } catch (error) {
    throw new SandboxError("image", messageOf(error), { cause: error });
  }
}
