import * as z from "zod/mini";
import { noBuild } from "../fleet/build-args.ts";
import { type AppliesOf, anyValue, option } from "../fleet/documented.ts";
import { commonOptions, providerOption, sharedOptions } from "../fleet/options.ts";
import { seconds, word } from "../fleet/values.ts";
import { webSettings } from "./settings.ts";

/** Options that only apply to `kind = "web"`. */
export const optionsOfWeb = {
  source: option(z.optional(word()), {
    description:
      "The git repository that its own is cloned from: a URL or a path (`~`, and paths relative to the fleet file, are allowed).",
    example: "https://github.com/me/agent",
    defaultInWords: "none: its repository is created from scratch for its `agent_type`",
  }),
  add_paths: option(z._default(z.array(word()), []), {
    description:
      "Files and folders that are copied into its repository, each as `SRC:DEST`. SRC is a path on this machine; DEST is a path in the repository, and names the folder to copy into if it ends with `/`.",
    example: ["~/notes/style.md:docs/style.md"],
  }),
  data: option(z.optional(word()), {
    description: "Where its data is: an absolute path (`~` is allowed), on `docker` and `modal` the name of a volume.",
    example: "~/elena",
    defaultInWords: "a separate folder or volume",
  }),
  destroy_data: commonOptions.destroy_data,
  remote: option(z.optional(word()), {
    description:
      "A git remote that the agent's own commits are pushed to, on the branch `changelings/<name>`: an https or ssh URL, on `local` also a path.",
    example: "git@github.com:me/elena.git",
    defaultInWords: "none: its commits stay in its repository",
  }),
  memory_in_git: option(z._default(z.boolean(), false), {
    description:
      "Whether its memory is in its repository (`memory/`) instead of its data. Then it is pushed with the repository.",
    example: true,
  }),
  start_timeout_seconds: option(z._default(seconds(5, 900), 60), {
    description:
      "How long the agent may take to start and register a server. An update that takes longer is rolled back.",
    unit: "seconds",
    example: 120,
  }),
  settings: option(z.optional(webSettings), {
    description:
      "The content of `.changelings/settings.toml` in its repository, in tables of their own. If set, the whole file is written, with the default of every omitted key.",
    example: { chat: { model: "claude-sonnet-4-5" } },
    defaultInWords: "the repository's own file is used",
  }),
} as const;

export const webProviders = ["local", "docker", "modal"] as const;

/** Where a web changeling can run. */
export type Provider = (typeof webProviders)[number];

/** All options of a web changeling, including defaults. */
export const webTable = z.strictObject({
  ...sharedOptions,
  provider: providerOption(webProviders),
  ...optionsOfWeb,
});

export type WebOptions = z.output<typeof webTable>;

/** Where its options apply. */
export const webApplies = {
  build_args: { providers: ["docker", "modal"], otherwise: noBuild },
  branch: {
    needs: { source: anyValue },
    otherwise: {
      message: "branch is only for a changeling with a source: other repositories are created from scratch",
      remedy: 'remove the line, or write source = "<path or URL>"',
    },
  },
} satisfies AppliesOf<WebOptions>;

export const webNoun = "web changeling";
