import { looksLikeSecret, secretInBuildArg } from "../lib/literal-secrets.ts";
import { parseBuildArgs } from "./build-args.ts";
import { error, type Finding, type PlaceOf } from "./diagnostics.ts";
import type { CronOptions, SharedOptions } from "./options.ts";

/** A sandbox lives for 24 hours at most; starting a run and ending it take their part of them. */
const mostSeconds = 86_400 - 300;

/** Where something of ours or of mngr's stands in an agent's machine. */
const takenPaths = [
  ...["/changeling", "/changeling-data", "/changeling-repo", "/changelings-runs"],
  ...["/code", "/host_volume", "/mngr"],
];

/** What can be said of the options of a cron changeling on Modal, and of no other. */
export function modalCronFindings(options: CronOptions, place: PlaceOf): Finding[] {
  const found: Finding[] = [];
  if (options.timeout_seconds > mostSeconds) {
    const message = `${options.timeout_seconds} s is too much for the provider "modal": a sandbox lives for 24 hours, and to start and end a run takes some of them`;
    found.push(error(place("timeout_seconds"), message, `write timeout_seconds = ${mostSeconds} or less`));
  }
  if (options.overlap === "queue") {
    const message = 'the provider "modal" can\'t queue: what comes due while the last run is alive is skipped';
    found.push(error(place("overlap"), message, 'write overlap = "skip"'));
  }
  found.push(...buildArgFindings(options, place, (key) => unfitForCron(options, key)));
  return found;
}

/**
 * What can be said of how an agent's machine on Modal is built.
 * @param unfitForKind why an argument that mngr accepts makes no sense for changelings of the kind
 */
export function buildArgFindings(
  options: SharedOptions,
  place: PlaceOf,
  unfitForKind: (key: string) => UnfitArg | undefined,
): Finding[] {
  const { args, faults } = parseBuildArgs(options.build_args);
  const found = faults.map(({ index, message, remedy }) => error(place("build_args", index), message, remedy));
  for (const { key, value, index } of args) {
    const fault = literalSecret(value) ?? unfitForKind(key) ?? unfitAnywhere(options, key, value);
    if (fault !== undefined) found.push(error(place("build_args", index), fault.message, fault.remedy));
  }
  return found;
}

interface UnfitArg {
  readonly message: string;
  readonly remedy: string;
}

function literalSecret(value: string): UnfitArg | undefined {
  if (!looksLikeSecret(value)) return undefined;
  return { message: secretInBuildArg, remedy: 'write secret=<NAME>, and "<NAME>" in secrets' };
}

/** Why an argument that mngr accepts makes no sense here, whatever the kind; undefined: it does. */
function unfitAnywhere({ secrets }: SharedOptions, key: string, value: string): UnfitArg | undefined {
  if (key === "secret" && !secrets.includes(value)) {
    return {
      message: `${value} is not one of the changeling's secrets, so the build can't use it`,
      remedy: `add "${value}" to secrets`,
    };
  }
  if (key !== "volume") return undefined;
  const path = value.slice(value.indexOf(":") + 1).replace(/\/+$/, "");
  const taken = takenPaths.find((own) => path === own || path.startsWith(`${own}/`) || path === "");
  if (taken === undefined) return undefined;
  return {
    message: `a volume can't be mounted at ${path === "" ? "/" : path}: that path is in use`,
    remedy: 'mount it elsewhere, for instance "volume=cache:/cache"',
  };
}

export function unfitForWeb(key: string): UnfitArg | undefined {
  switch (key) {
    case "timeout":
      return { message: "its machine lives as long as Modal allows", remedy: "remove it" };
    case "offline":
      return {
        message: "an agent that is offline can't be reached",
        remedy: "remove it, or list the addresses that it may reach: cidr-allowlist=<range>",
      };
    default:
      return undefined;
  }
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
