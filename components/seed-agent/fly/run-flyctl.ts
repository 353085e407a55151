import { allowedEnvironment } from "../../lib/environment.ts";
import { masked } from "../../lib/masking.ts";
import { notStarted, type ProgramEnd, runProgram, timedOut } from "../../lib/process.ts";
import { SeedAgentError } from "../provider.ts";

export interface FlyctlOptions {
  readonly timeoutSeconds: number;
  /** FLY_API_TOKEN is in it, unless the user logged in by `flyctl auth login`. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** Its stdin. */
  readonly input?: string | undefined;
  /** Values that are redacted from errors. */
  readonly secrets?: readonly string[] | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export const flyctlMissing =
  "flyctl is not on the PATH; install it (https://fly.io/docs/flyctl/install/): curl -L https://fly.io/install.sh | sh";

/** Runs flyctl, and returns its stdout. @throws SeedAgentError if it fails */
export async function runFlyctl(args: readonly string[], options: FlyctlOptions): Promise<string> {
  const ended = await tryFlyctl(args, options);
  if (ended.code !== 0) throw flyctlError(args, ended, options);
  return ended.stdout;
}

/** As `runFlyctl`, but the caller judges how it ended. */
export function tryFlyctl(args: readonly string[], options: FlyctlOptions): Promise<ProgramEnd> {
  const { timeoutSeconds, env, signal, input, onProgress, secrets = [] } = options;
  return runProgram("flyctl", args, {
    env: flyctlEnvironment(env),
    ...{ timeoutSeconds, signal, input },
    maxOutput: 64 * 1024 * 1024,
    endsGroup: true,
    onOutput: onProgress && ((text) => void masked(text, secrets).split("\n").filter(Boolean).forEach(onProgress)),
  });
}

export function flyctlError(
  args: readonly string[],
  ended: ProgramEnd,
  { env, secrets = [] }: FlyctlOptions,
): SeedAgentError {
  if (ended.code === notStarted) return new SeedAgentError(flyctlMissing);
  const words = `flyctl ${args.slice(0, 2).join(" ")}`;
  if (ended.code === timedOut) return new SeedAgentError(`${words} took too long and was stopped; run \`up\` again`);
  const said = masked(ended.stderr.trim() || ended.stdout.trim(), [...secrets, ...tokens(env)]).slice(-2000);
  const remedy = remedies.find(([pattern]) => pattern.test(said))?.[1];
  const message = `${words} failed: ${said || `exit status ${ended.code}`}`;
  return new SeedAgentError(remedy === undefined ? message : `${message}\n${remedy}`);
}

/** What a person can do, by what flyctl printed. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /no access token|not (currently )?authenticated|unauthorized|must be authenticated|login/i,
    "Log in by `flyctl auth login`, or export FLY_API_TOKEN (flyctl tokens create org)",
  ],
  [/name .*(already )?(been )?taken/i, "App names are unique among all of Fly's users; declare another app"],
  [/organization .*not found|could not find organization/i, "See your organizations: flyctl orgs list"],
  [/payment|credit card|billing/i, "Fly wants a payment method: https://fly.io/dashboard/personal/billing"],
  [
    /lease currently held|failed to acquire lease/i,
    "Another deployment is under way, or was killed less than a minute ago; run `up` again",
  ],
];

const variables: readonly string[] = ["FLY_API_TOKEN", "FLY_ACCESS_TOKEN", "FLY_CONFIG_DIR"];

/** Whether a script that uses flyctl needs this variable of the user who runs `pulumi up`. */
export function isFlyVariable(name: string): boolean {
  return variables.includes(name);
}

function tokens(env: NodeJS.ProcessEnv): string[] {
  return [env["FLY_API_TOKEN"] ?? "", env["FLY_ACCESS_TOKEN"] ?? ""].filter((each) => each !== "");
}

export function flyctlEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = variables.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  // An update of flyctl, or news of it, must not come between.
  const quiet = { FLY_NO_UPDATE_CHECK: "1", FLY_SEND_METRICS: "0", NO_COLOR: "1" };
  return { ...allowedEnvironment(env), ...quiet, ...Object.fromEntries(own) };
}
