import * as z from "zod/mini";
import { type AppliesOf, option } from "../fleet/documented.ts";
import { commonOptions, providerOption, sharedOptions } from "../fleet/options.ts";
import { seconds, text, variablePattern, word } from "../fleet/values.ts";
import { sandboxProviders } from "./spec.ts";

const mcpServerOptions = {
  command: option(word(), { description: "The program that serves MCP over stdio, in the sandbox.", example: "npx" }),
  args: option(z._default(z.array(text()), []), {
    description: "Its arguments.",
    example: ["-y", "@me/my-mcp-server"],
  }),
  env: option(z._default(z.record(z.string().check(z.regex(variablePattern)), text()), {}), {
    description: "Its environment variables that are not secret.",
    example: { LOG_LEVEL: "debug" },
  }),
} as const;

/** The options of `kind = "sandbox"`, besides those of every kind. */
export const optionsOfSandbox = {
  repo: commonOptions.repo,
  runtime: option(z._default(word(), "stub"), {
    description:
      "The agent that executes prompts: `stub` (answers at once, needs no account), `claude` (Claude Code), `codex` (Codex CLI), `mngr` (an agent of mngr, on `local`), or the path of your own module, relative to the fleet file.",
    example: "claude",
  }),
  runtime_config: option(z._default(z.record(z.string(), z.unknown()), {}), {
    description: "Options of the runtime. changelings/REFERENCE.md lists those of each.",
    example: { model: "sonnet" },
  }),
  timeout_seconds: commonOptions.timeout_seconds,
  sleep_after_seconds: option(z.optional(seconds(0, 86_400)), {
    description:
      "A sandbox that has executed nothing for so long sleeps: its files are saved in a snapshot, and its machine is given back. The next prompt wakes it up. 0: never.",
    unit: "seconds",
    example: 1800,
    defaultInWords: "900; on `local` never, because a sandbox that waits uses neither memory nor a process there",
  }),
  isolation: option(z._default(z.enum(["sandbox", "none"]), "sandbox"), {
    description:
      "`sandbox` confines the agent by Linux namespaces. `none` runs it as you, with all of your files, for machines where namespaces are forbidden.",
    example: "none",
  }),
  cpu: option(z.optional(z.number().check(z.gte(0.125), z.lte(64))), {
    description: "How many cores a sandbox may use.",
    unit: "cores",
    example: 2,
    defaultInWords: "the provider's own",
  }),
  memory_gb: option(z.optional(z.number().check(z.gte(0.25), z.lte(336))), {
    description: "How much memory a sandbox may use.",
    unit: "GB",
    example: 4,
    defaultInWords: "the provider's own",
  }),
  allow_domains: option(z.optional(z.array(word())), {
    description:
      "The hosts that a sandbox may connect to: `host`, `*.host` or `host:port`. An empty list allows none. The model's API must be among them, except for the runtimes `claude` and `codex` on this machine and in Docker.",
    unit: "host names",
    example: ["api.anthropic.com", "github.com", "*.npmjs.org"],
    defaultInWords: "every public host; neither this machine nor its private networks",
  }),
  user_name: option(z.optional(word()), {
    description: "The author of the agent's commits; ` (Harvest)` is appended.",
    example: "Mira Okafor",
    defaultInWords: "the changeling's name",
  }),
  user_email: option(z.optional(z.string().check(z.regex(/^[^\s@<>]+@[^\s@<>]+$/))), {
    description: "The author's address.",
    example: "mira@example.com",
    defaultInWords: "`<name>@changelings.invalid`",
  }),
  mcp_servers: option(
    z._default(z.record(z.string().check(z.regex(/^[a-z][a-z0-9_-]*$/)), z.strictObject(mcpServerOptions)), {}),
    {
      description: "More MCP servers for the agent, by name, besides those of the image.",
      example: { issues: { command: "npx", args: ["-y", "@me/issues-mcp"] } },
    },
  ),
  snapshot_max_age: commonOptions.snapshot_max_age,
} as const;

/** All options of a sandbox changeling, defaults filled in. */
export const sandboxTable = z.strictObject({
  ...sharedOptions,
  provider: providerOption(sandboxProviders),
  ...optionsOfSandbox,
});

/** A changeling's options as the file names them, after defaults. */
export type SandboxOptions = z.output<typeof sandboxTable>;

/** Where its options apply, and those of every kind that a sandbox has no use for. */
export const sandboxApplies = {
  isolation: {
    providers: ["local"],
    otherwise: {
      message: 'isolation = "none" is only for provider = "local": other providers always isolate a sandbox',
      remedy: "remove the line",
    },
  },
  agent_type: { instead: 'runtime = "claude"' },
  agent_args: { instead: "runtime_config" },
  build_args: { instead: "cpu and memory_gb" },
} satisfies AppliesOf<SandboxOptions>;

export const sandboxNoun = "sandbox";
