import { parseBuildArgs } from "../../fleet/build-args.ts";
import { type Diagnostic, error, type KeyPathOf } from "../../fleet/diagnostics.ts";
import { looksLikeSecret, secretInBuildArg } from "../../lib/literal-secrets.ts";
import type { WebOptions } from "../options.ts";

/** Diagnostics about the build of a web changeling's container. */
export function dockerDiagnostics({ build_args: written }: WebOptions, place: KeyPathOf): Diagnostic[] {
  const { args, problems } = parseBuildArgs(written, "docker");
  const found = problems.map(({ index, message, remedy }) => error(place("build_args", index), message, remedy));
  const isFromImage = args.some(({ key }) => key === "image");
  for (const { key, value, index } of args) {
    const path = place("build_args", index);
    if (looksLikeSecret(value)) {
      found.push(
        error(
          path,
          secretInBuildArg,
          "remove it, and list its variable in secrets, so that the agent gets it when it runs",
        ),
      );
    } else if (isFromImage && ofDockerfile.includes(key)) {
      const message = `"${key}" is for a Dockerfile, but "image" is used unchanged`;
      found.push(error(path, message, 'remove it, or "image" and write it into a Dockerfile\'s FROM'));
    }
  }
  return found;
}

const ofDockerfile: readonly string[] = ["file", "context-dir", "docker-build-arg"];
