/**
 * The variables of the service's environment, with their types, defaults, units and descriptions. The program, the
 * deployments and the table in the guide are made from this one.
 */
import * as z from "zod/mini";

export interface Variable<Type> {
  readonly schema: z.ZodMiniType<Type>;
  readonly description: string;
  readonly unit?: string;
  readonly secret?: true;
  /** For a default that is not a plain value. */
  readonly defaultInWords?: string;
}

const yesNo = (fallback: boolean) =>
  z.pipe(
    z._default(z.enum(["true", "false"]), fallback ? "true" : "false"),
    z.transform((word) => word === "true"),
  );
const number = (fallback: number, least = 0) => z._default(z.coerce.number().check(z.gte(least)), fallback);
const whole = (fallback: number, least = 0) => z._default(z.coerce.number().check(z.int(), z.gte(least)), fallback);
/** Node's timers fire at once if they are set to more than 24 days, and some wait for five times the setting. */
const maxSeconds = 400_000;
const seconds = (fallback: number, least = 0) =>
  z._default(z.coerce.number().check(z.gte(least), z.lte(maxSeconds)), fallback);
const text = () => z.optional(z.string().check(z.minLength(1)));

function variable<Type>(
  schema: z.ZodMiniType<Type>,
  description: string,
  more: Omit<Variable<Type>, "schema" | "description"> = {},
): Variable<Type> {
  return { schema, description, ...more };
}

export const variables = {
  HTTP_SERVER_ENABLED: variable(yesNo(true), "Whether the service listens for HTTP at all."),
  PORT: variable(whole(4000), "The port of all endpoints."),
  SEED_HOST: variable(z._default(z.string(), "127.0.0.1"), "The address that the service binds; `::` in a container."),
  SEED_NAME: variable(z._default(z.string(), "seed-agent"), "The changeling's name, for logs and metrics."),
  SEED_NODE: variable(text(), "This node's id.", { defaultInWords: "Fly's machine id, else the host name" }),
  SEED_DATA_DIR: variable(
    z._default(z.string(), "/data"),
    "The folder of the service's own files. It writes nowhere else.",
  ),
  SEED_CODE_DIR: variable(text(), "The folder of the versions of the agent's code.", {
    defaultInWords: "`code` in SEED_DATA_DIR",
  }),
  SEED_SECRETS_FILE: variable(text(), "A JSON file with secret variables, best with mode 0600."),
  DATABASE_URL: variable(text(), "The URL of a PostgreSQL database. Several nodes need one.", {
    secret: true,
    defaultInWords: "SQLite in SEED_DATA_DIR",
  }),
  DNS_CLUSTER_QUERY: variable(text(), "The DNS name whose A and AAAA records are the addresses of the nodes.", {
    defaultInWords: "no peers",
  }),
  SEED_PEERS: variable(
    text(),
    "The nodes, this one included, as `host:port`, separated by commas. For several nodes on one machine, instead of DNS.",
    { defaultInWords: "the nodes that DNS_CLUSTER_QUERY finds" },
  ),
  RELEASE_COOKIE: variable(
    text(),
    "The secret that nodes share. They prove to each other that they have it, without sending it.",
    { secret: true },
  ),
  SEED_CONTROL_TOKEN: variable(text(), "The bearer token of the control endpoints.", {
    secret: true,
    defaultInWords: "no control endpoints",
  }),
  SEED_METRICS_TOKEN: variable(text(), "A bearer token for only /metrics and /health/deep.", { secret: true }),
  SEED_METRICS_PUBLIC: variable(yesNo(false), "Whether /metrics and /health/deep need no token."),
  SEED_MONITORING_PORT: variable(
    z.optional(z.coerce.number().check(z.int(), z.gte(1))),
    "A second port with only /health, /metrics and /health/deep, without a token. For a network that only monitoring reaches.",
    { defaultInWords: "none" },
  ),
  SEED_AGENT_PUBLIC: variable(yesNo(false), "Whether /agent needs no token."),
  SEED_FENCE: variable(
    z._default(z.enum(["auto", "bubblewrap", "permission"]), "auto"),
    "How versions are confined: by bubblewrap, or only by Node's permission model, which does not block the network.",
  ),
  SEED_MODE: variable(
    z._default(z.enum(["off", "propose", "auto"]), "propose"),
    "Whether the agent improves itself: never, with a person's approval, or automatically (needs bubblewrap).",
  ),
  SEED_GOAL: variable(text(), "What the agent should become better at, in Markdown.", {
    defaultInWords: "the content of SEED_GOAL_FILE",
  }),
  SEED_GOAL_FILE: variable(text(), "A file with the goal, instead of SEED_GOAL.", {
    defaultInWords: "no goal: the agent only repairs what fails",
  }),
  SEED_IMPROVE_SECONDS: variable(seconds(3600, 10), "How often the agent considers an improvement.", {
    unit: "seconds",
  }),
  SEED_MODEL: variable(z._default(z.enum(["claude", "codex"]), "claude"), "The CLI that writes improvements."),
  SEED_CHANGES_PER_DAY: variable(number(5), "How many changes the model may submit per day (UTC).", {
    unit: "changes",
  }),
  SEED_USD_PER_DAY: variable(number(5), "What the model may cost per day (UTC), if its cost is known.", {
    unit: "US dollars",
  }),
  SEED_USD_PER_CHANGE: variable(number(1), "What one proposal may cost.", { unit: "US dollars" }),
  SEED_MODEL_SECONDS: variable(seconds(600, 1), "How long one proposal may take.", { unit: "seconds" }),
  SEED_PROBATION_SECONDS: variable(seconds(60), "How long a new version is watched.", { unit: "seconds" }),
  SEED_MEMORY_MB: variable(whole(256, 96), "The memory limit of a version's process.", { unit: "MiB" }),
  SEED_CALL_SECONDS: variable(seconds(10, 1), "The time limit of one request.", { unit: "seconds" }),
  SEED_TEST_SECONDS: variable(seconds(60, 1), "The time limit of all tests of a change together.", { unit: "seconds" }),
  SEED_KEEP_VERSIONS: variable(whole(20, 2), "How many versions are kept."),
  SEED_RECORDINGS: variable(whole(200), "How many requests are recorded for replay."),
  CLAUDE_CODE_OAUTH_TOKEN: variable(text(), "Claude's login (`claude setup-token`).", { secret: true }),
  ANTHROPIC_API_KEY: variable(text(), "An API key, instead of the login.", { secret: true }),
  CLAUDE_HOME: variable(text(), "A `.claude` folder with a login, instead of the token.", {
    defaultInWords: "`~/.claude`",
  }),
  CLAUDE_CLI_PATH: variable(z._default(z.string(), "claude"), "The Claude Code program."),
  CLAUDE_DEFAULT_MODEL: variable(z._default(z.string(), "sonnet"), "Claude's model."),
  CLAUDE_MAX_TOKENS: variable(z.optional(z.coerce.number()), "The maximum number of output tokens in an answer.", {
    unit: "tokens",
  }),
  CLAUDE_API_URL: variable(text(), "The address of the API.", { defaultInWords: "Anthropic's" }),
  OPENAI_API_KEY: variable(text(), "An API key for Codex, instead of its login.", { secret: true }),
  CODEX_HOME: variable(text(), "A `.codex` folder with a login.", { defaultInWords: "`~/.codex`" }),
  CODEX_CLI_PATH: variable(z._default(z.string(), "codex"), "The Codex program."),
  CODEX_SANDBOX: variable(
    z._default(z.enum(["read-only", "workspace-write", "danger-full-access"]), "read-only"),
    "Codex's own sandbox.",
  ),
  GITHUB_TOKEN: variable(text(), "For the agent's releases; the service itself does not use it.", { secret: true }),
} as const;

export type Settings = { readonly [Name in keyof typeof variables]: z.output<(typeof variables)[Name]["schema"]> };

/** @returns the settings, or an error for every variable that is not valid */
export function readSettings(
  environment: Readonly<Record<string, string | undefined>>,
): { readonly settings: Settings } | { readonly errors: readonly string[] } {
  const errors: string[] = [];
  const settings: Record<string, unknown> = {};
  for (const [name, { schema, secret }] of Object.entries(variables)) {
    const value = environment[name];
    const parsed = schema.safeParse(value === "" ? undefined : value);
    if (parsed.success) settings[name] = parsed.data;
    else {
      const shown = secret === true ? "its value" : JSON.stringify(value);
      errors.push(`${name}: ${shown} is not valid: ${parsed.error.issues.map(({ message }) => message).join("; ")}`);
    }
  }
  return errors.length > 0 ? { errors } : { settings: settings as unknown as Settings };
}
