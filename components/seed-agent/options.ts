import * as z from "zod/mini";
import { type AppliesOf, option } from "../fleet/documented.ts";
import { commonOptions, providerOption, sharedOptions } from "../fleet/options.ts";
import { seconds, word } from "../fleet/values.ts";
import { seedAgentProviders } from "./spec.ts";

/** A DNS label: Fly's apps and Kubernetes' namespaces. */
const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const perDay = () => z._default(z.number().check(z.gte(0), z.lte(10_000)), 5);

/** The options of `kind = "seed-agent"`, besides those of every kind. */
export const optionsOfSeedAgent = {
  replicas: option(z.optional(z.int().check(z.gte(1), z.lte(20))), {
    description:
      "How many nodes run it. More than one share a PostgreSQL: they need `DATABASE_URL` among the `secrets`. On `local` and `docker` each node has a port of its own: `port`, `port` + 1, and so on.",
    unit: "nodes",
    example: 3,
    defaultInWords: "1; on `fly` 2, so that one serves while the other is replaced",
  }),
  port: option(z._default(z.int().check(z.gte(1), z.lte(65_535)), 4000), {
    description: "The port of its endpoints.",
    example: 4100,
  }),
  mode: option(z._default(z.enum(["off", "propose", "auto"]), "propose"), {
    description:
      "Whether it improves itself. `off`: only changes that you submit. `propose`: a model writes changes, and each waits for your approval. `auto`: changes that pass every check and answer as before are activated without approval, where bubblewrap confines them.",
    example: "auto",
  }),
  model: option(z._default(z.enum(["claude", "codex"]), "claude"), {
    description: "The CLI that writes improvements: Claude Code, or Codex.",
    example: "codex",
  }),
  goal: option(z.optional(word()), {
    description:
      "What it should become better at: the path of a Markdown file, relative to the fleet file. At most 65,536 bytes.",
    example: "goals/support.md",
    defaultInWords: "none: it only repairs what fails",
  }),
  probation_seconds: option(z._default(seconds(0, 86_400), 60), {
    description:
      "How long a new version is on probation. If it fails, is slower or answers worse than the previous version, the previous one is activated again.",
    unit: "seconds",
    example: 300,
  }),
  changes_per_day: option(perDay(), {
    description: "How many changes the model may submit in a day (UTC).",
    unit: "changes",
    example: 2,
  }),
  usd_per_day: option(perDay(), {
    description: "What the model may cost in a day (UTC), where the CLI reports its cost.",
    unit: "US dollars",
    example: 1.5,
  }),
  volume_gb: option(z._default(z.int().check(z.gte(1), z.lte(500)), 5), {
    description: "The size of each node's volume, for versions of its code.",
    unit: "GB",
    example: 10,
  }),
  app: option(z.optional(z.string().check(z.regex(label))), {
    description: "The name of its app on Fly.io, unique among all of Fly's apps.",
    example: "mira-seed",
    defaultInWords: "its name and the id of the installation",
  }),
  organization: option(z.optional(z.string().check(z.regex(label))), {
    description: "The organization on Fly.io that has the app.",
    example: "personal",
    defaultInWords: "your personal one",
  }),
  region: option(z._default(z.string().check(z.regex(/^[a-z]{3}$/)), "sea"), {
    description: "The region on Fly.io of its machines and volumes.",
    example: "fra",
  }),
  context: option(z.optional(word()), {
    description: "The context of your kubeconfig.",
    example: "production",
    defaultInWords: "the current one",
  }),
  namespace: option(z._default(z.string().check(z.regex(label)), "default"), {
    description: "The namespace of its Kubernetes resources. It must exist.",
    example: "agents",
  }),
  container_image: option(z.optional(word()), {
    description:
      "Its image, under the name by which the cluster pulls it. `up` builds the image and pushes it with your own Docker; an image with a digest (`@sha256:…`) is used as it is.",
    example: "ghcr.io/me/seed-agent:1.0.0",
    defaultInWords: "none: it is required on `kubernetes`",
  }),
  storage_class: option(z.optional(z.string().check(z.regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/))), {
    description: "The storage class of its volumes.",
    example: "fast-ssd",
    defaultInWords: "the cluster's default",
  }),
  destroy_data: commonOptions.destroy_data,
  rotate: option(z._default(z.int().check(z.gte(0), z.lte(1_000_000)), 0), {
    description:
      "Raise it to generate a new cookie, with which the nodes authenticate to each other, and a new control token.",
    example: 1,
  }),
} as const;

/** All options of a seed agent, defaults filled in. */
export const seedAgentTable = z.strictObject({
  ...sharedOptions,
  provider: providerOption(seedAgentProviders, {
    modal: { kind: "web", because: "a seed agent runs on docker, fly or kubernetes" },
  }),
  ...optionsOfSeedAgent,
});

/** A changeling's options as the file names them, after defaults. */
export type SeedAgentOptions = z.output<typeof seedAgentTable>;

const onFly = { providers: ["fly"] } as const;
const onKubernetes = { providers: ["kubernetes"] } as const;
const noRepo = { never: "whose code is in its own versions" } as const;

/** Where its options apply, and which options of every kind a seed agent does not have. */
export const seedAgentApplies = {
  app: onFly,
  organization: onFly,
  region: onFly,
  context: onKubernetes,
  namespace: onKubernetes,
  container_image: onKubernetes,
  storage_class: onKubernetes,
  volume_gb: { providers: ["fly", "kubernetes"] },
  agent_type: { instead: 'model = "claude" or model = "codex"' },
  agent_args: { instead: "env" },
  branch: noRepo,
  build_args: noRepo,
} satisfies AppliesOf<SeedAgentOptions>;

export const seedAgentNoun = "seed agent";
