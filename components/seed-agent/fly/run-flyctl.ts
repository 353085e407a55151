import { allowedEnvironment } from "../../lib/environment.ts";
import { ProviderCli } from "../provider-cli.ts";

export const flyctlMissing =
  "flyctl is not on the PATH; install it (https://fly.io/docs/flyctl/install/): curl -L https://fly.io/install.sh | sh";

/** Remedies, by a pattern of flyctl's output. */
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

function flyctlEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = variables.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  // flyctl must not update itself, or print notices, meanwhile.
  const quiet = { FLY_NO_UPDATE_CHECK: "1", FLY_SEND_METRICS: "0", NO_COLOR: "1" };
  return { ...allowedEnvironment(env), ...quiet, ...Object.fromEntries(own) };
}

/** flyctl with FLY_API_TOKEN, or as the user logged in by `flyctl auth login`. */
export const flyctlCli = new ProviderCli({
  program: "flyctl",
  missing: flyctlMissing,
  afterTimeout: "run `up` again",
  remedies,
  hasErrorsOnStdout: true,
  environment: flyctlEnvironment,
  redacted: (secrets, env) => [...secrets, ...tokens(env)],
});
