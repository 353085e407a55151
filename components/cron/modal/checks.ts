import { buildArgDiagnostics, type UnfitArg } from "../../fleet/build-args.ts";
import { type Diagnostic, error, type KeyPathOf } from "../../fleet/diagnostics.ts";
import type { CronOptions } from "../options.ts";

/** A sandbox lives for at most 24 hours, including the time to start and to end a run. */
const mostSeconds = 86_400 - 300;

/** Diagnostics that apply only to cron changelings on Modal. */
export function modalCronDiagnostics(options: CronOptions, place: KeyPathOf): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (options.timeout_seconds > mostSeconds) {
    const message = `${options.timeout_seconds} s is too much for the provider "modal": a sandbox lives for 24 hours, and to start and end a run takes some of them`;
    found.push(error(place("timeout_seconds"), message, `write timeout_seconds = ${mostSeconds} or less`));
  }
  if (options.overlap === "queue") {
    const message = 'the provider "modal" can\'t queue: what comes due while the last run is alive is skipped';
    found.push(error(place("overlap"), message, 'write overlap = "skip"'));
  }
  found.push(...buildArgDiagnostics(options, place, (key) => unfitForCron(options, key)));
  return found;
}

function unfitForCron({ image }: CronOptions, key: string): UnfitArg | undefined {
  switch (key) {
    case "timeout":
      return { message: "a machine's timeout is derived from the run's", remedy: "write timeout_seconds instead" };
    case "offline":
      return {
        message: "an agent that is offline can neither clone the repository nor push its branch",
        remedy: "remove it, or list the addresses that it may reach: cidr-allowlist=<range>",
      };
    case "file":
    case "context-dir":
      return {
        message: `"${key}" would be looked for where the schedule fires, and nothing of yours is there`,
        remedy:
          image === "pinned"
            ? "remove it: the repository's own Dockerfile is used"
            : 'remove it, or write image = "pinned" to build from the repository\'s Dockerfile',
      };
    case "image":
      if (image !== "pinned") return undefined;
      return {
        message: 'image = "pinned" builds from a Dockerfile, which says itself what it is based on',
        remedy: "remove it, and write it into the Dockerfile's FROM",
      };
    case "docker-build-arg":
    case "secret": {
      if (image === "pinned" || image === "custom") return undefined;
      const message = `"${key}" is for a Dockerfile, and image = "${image}" builds from none`;
      return { message, remedy: 'remove it, or write image = "pinned"' };
    }
    default:
      return undefined;
  }
}
