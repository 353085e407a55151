import * as z from "zod/mini";
import { type OptionDoc, option } from "./documented.ts";
import {
  duration,
  durationUnit,
  namePattern,
  seconds,
  secretNamePattern,
  text,
  variablePattern,
  word,
} from "./values.ts";

/** The options of every kind, except `kind` and `provider`, whose values depend on the kinds. */
export const sharedOptions = {
  description: option(z.optional(word()), {
    description: "What it is for, in a sentence. Shown to people, has no effect.",
    example: "Fixes one FIXME a night",
    defaultInWords: "none",
  }),
  agent_type: option(z.optional(z.string().check(z.regex(/^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$/))), {
    description: "A stock changeling's name, or any agent type that mngr knows.",
    example: "fixme-fairy",
    defaultInWords: "the changeling's name; with `source`, what its `entrypoint` template says",
  }),
  enabled: option(z._default(z.boolean(), true), {
    description:
      "Whether its schedule fires, or its agent serves. A disabled cron changeling stays installed and can be run by hand; a web one or a seed agent is stopped and keeps its data; a disabled sandbox starts no session.",
    example: false,
  }),
  branch: option(z._default(word(), "main"), {
    description:
      "The branch that each run starts from; for a web changeling, the branch of its `source` that its repository follows; for a sandbox, the branch that is checked out. It is never written to.",
    example: "develop",
  }),
  agent_args: option(z._default(z.array(text()), []), {
    description:
      "Arguments for the agent's program. For the agent type `command` they are the command. At most 100,000 bytes, as JSON.",
    example: ["--model", "opus"],
  }),
  build_args: option(z._default(z.array(text()), []), {
    description:
      'Arguments for building the agent\'s machine, each as `key=value`. On `docker`: `cpu`, `memory` (GB), `image`, or `file`, `context-dir` and `docker-build-arg`. On `modal`: `cpu`, `memory` (GB), `gpu`, `region`, `volume`, `cidr-allowlist`, `image`, `docker-build-arg`, `secret`, `file` and `context-dir`. A cron changeling takes neither `file` nor `context-dir`, and `docker-build-arg` and `secret` only with `image = "pinned"` or `"custom"`. `mngr create --help` describes them. `file` and `context-dir` of a web changeling are relative to its repository.',
    example: ["cpu=2", "memory=4"],
  }),
  secrets: option(
    z._default(z.array(z.string().check(z.regex(secretNamePattern))), ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"]),
    {
      description:
        "Names of environment variables whose values the agent gets. A list of your own replaces the default, and then every name in it is required. `GITHUB_TOKEN` also reaches the agent as `GH_TOKEN`; a cron changeling on `modal` needs it to clone, so there the default requires it. A Claude agent needs `ANTHROPIC_API_KEY` or `CLAUDE_CODE_OAUTH_TOKEN`; the rest of the default is optional.",
      unit: "names of variables",
      example: ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "NPM_TOKEN"],
    },
  ),
  env: option(z._default(z.record(z.string().check(z.regex(variablePattern)), text()), {}), {
    description: "Environment variables of the agent that are not secret. At most 100,000 bytes, as JSON.",
    example: { LOG_LEVEL: "debug" },
  }),
  renamed_from: option(z.optional(z.string().check(z.regex(namePattern))), {
    description:
      "Its former name: the old one is removed and this one created in one update. A web changeling keeps its agent, repository and data, a seed agent on this machine its data.",
    example: "old-name",
    defaultInWords: "none",
  }),
} as const;

/** Options that only some kinds have. Each of these kinds adds them to its own. */
export const commonOptions = {
  destroy_data: option(z._default(z.boolean(), false), {
    description:
      "Whether its data, and a web changeling's repository, are deleted when it is removed. Otherwise they are kept, and used again when it is declared again.",
    example: true,
  }),
  repo: option(z.optional(word()), {
    description:
      "The git repository to work on: a URL, or a path, which may begin with `~` or be relative to the fleet file; for a sandbox also `owner/name` on GitHub. On `modal` cron agents clone it by https, so a path must have a remote.",
    example: "~/src/app",
    defaultInWords: "the stack's `changelings:repo`, else the git repository around the fleet file",
  }),
  snapshot_max_age: option(z.optional(duration()), {
    description:
      "How old the snapshot may get before `pulumi up` makes a new one. With it, a sandbox starts from a snapshot with its repository cloned.",
    unit: durationUnit,
    example: "7d",
    defaultInWords: "it is never renewed; a sandbox starts from the base image",
  }),
  timeout_seconds: option(z._default(seconds(60, 86_400), 3600), {
    description:
      "A run that takes longer is ended and recorded as timed out. A sandbox that is older is saved in a snapshot and ended, and the next prompt starts it from there. At most 86,100 for a run on `modal`.",
    unit: "seconds",
    example: 1800,
  }),
} as const;

const seedAgentsAlone = { kind: "seed-agent", because: "it is for a service that keeps running" };
const ofSeedAgents = { fly: seedAgentsAlone, kubernetes: seedAgentsAlone };

/**
 * A kind's own `provider` option: where its changelings can run. The first value is the default.
 *
 * @param elsewhere providers of another kind, for users who expect them here
 */
export function providerOption<const Providers extends readonly [string, ...string[]]>(
  providers: Providers,
  elsewhere: NonNullable<OptionDoc["elsewhere"]> = {},
) {
  const [first] = providers;
  return option(z._default(z.enum(providers), first as Providers[number]), {
    description:
      "Where it runs. `local`: on this machine, no account needed. `docker`, not for a cron changeling: in a container on this machine, or where `DOCKER_HOST` says. `modal`: in the cloud, with your Modal account, a cron changeling as a scheduled app (this machine may be off), another one as a sandbox of Modal's. `fly` and `kubernetes`, only for a seed agent: with your Fly.io account, or in the cluster of your kubeconfig.",
    example: "modal",
    elsewhere: Object.fromEntries(
      Object.entries({ ...ofSeedAgents, ...elsewhere }).filter(
        ([name]) => !(providers as readonly string[]).includes(name),
      ),
    ),
  });
}

/** The options of every kind as the file names them, after defaults. */
export type SharedOptions = z.output<z.ZodMiniObject<typeof sharedOptions, z.core.$strict>> & {
  readonly provider: string;
};
