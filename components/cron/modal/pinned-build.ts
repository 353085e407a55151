import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseBuildArgs } from "../../fleet/build-args.ts";
import type { Modal } from "../../modal/types.ts";
import type { AppSpec } from "./spec.ts";

const buildFile = join(dirname(fileURLToPath(import.meta.url)), "build_pinned.py");

/**
 * Builds the agent image of a `pinned` changeling, so that a broken Dockerfile fails the `up` and the first run need
 * not wait for the build. Does nothing if the build arguments are only known at run time.
 *
 * @param tarball path of the repository's tarball
 * @throws ModalError with the tail of the build log
 */
export async function buildPinnedImage(client: Modal, spec: AppSpec, tarball: string): Promise<void> {
  const args = dockerBuildArgs(spec.agent);
  if (args === undefined) return;
  await client.build(buildFile, {
    what: `building the image of ${spec.name}'s Dockerfile`,
    environment: spec.environment,
    variables: { CHANGELING_TARBALL: tarball, CHANGELING_BUILD_ARGS: JSON.stringify(args) },
  });
}

/** Values of the Dockerfile's ARG instructions; undefined if a template may add to them, or if a secret is mounted. */
export function dockerBuildArgs({
  buildArgs,
  template,
}: Pick<AppSpec["agent"], "buildArgs" | "template">): Record<string, string> | undefined {
  const { args } = parseBuildArgs(buildArgs);
  if (template !== null || args.some(({ key }) => key === "secret")) return undefined;
  const assignments = args.filter(({ key }) => key === "docker-build-arg");
  return Object.fromEntries(
    assignments.map(({ value }) => [value.slice(0, value.indexOf("=")), value.slice(value.indexOf("=") + 1)]),
  );
}
