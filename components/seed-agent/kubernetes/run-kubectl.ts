import { allowedEnvironment } from "../../lib/environment.ts";
import { masked } from "../../lib/masking.ts";
import { notStarted, type ProgramEnd, runProgram, timedOut } from "../../lib/process.ts";
import { SeedAgentError } from "../provider.ts";

export interface KubectlOptions {
  readonly timeoutSeconds: number;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** Its stdin. */
  readonly input?: string | undefined;
  /** Values that are redacted from errors. */
  readonly secrets?: readonly string[] | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export const kubectlMissing =
  "kubectl is not on the PATH; install it (https://kubernetes.io/docs/tasks/tools/), 1.25 or newer";

/** Runs kubectl with the user's own kubeconfig. @throws SeedAgentError if it fails */
export async function runKubectl(args: readonly string[], options: KubectlOptions): Promise<string> {
  const ended = await tryKubectl(args, options);
  if (ended.code !== 0) throw kubectlError(args, ended, options);
  return ended.stdout;
}

/** As `runKubectl`, but the caller judges how it ended. */
export function tryKubectl(args: readonly string[], options: KubectlOptions): Promise<ProgramEnd> {
  const { timeoutSeconds, env, signal, input, onProgress, secrets = [] } = options;
  return runProgram("kubectl", args, {
    env: kubectlEnvironment(env),
    ...{ timeoutSeconds, signal, input },
    maxOutput: 64 * 1024 * 1024,
    endsGroup: true,
    onOutput: onProgress && ((text) => void redacted(text, secrets).split("\n").filter(Boolean).forEach(onProgress)),
  });
}

export function kubectlError(
  args: readonly string[],
  ended: ProgramEnd,
  { secrets = [] }: KubectlOptions,
): SeedAgentError {
  if (ended.code === notStarted) return new SeedAgentError(kubectlMissing);
  const words = `kubectl ${args
    .filter((each) => !each.startsWith("-"))
    .slice(0, 2)
    .join(" ")}`;
  if (ended.code === timedOut)
    return new SeedAgentError(`${words} took too long and was stopped; see: kubectl cluster-info`);
  const said = redacted(ended.stderr.trim(), secrets).slice(-2000) || `exit status ${ended.code}`;
  const remedy = remedies.find(([pattern]) => pattern.test(said))?.[1];
  return new SeedAgentError(remedy === undefined ? `${words} failed: ${said}` : `${words} failed: ${said}\n${remedy}`);
}

/** What a person can do, by what kubectl printed. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /context .* does not exist|context was not found/i,
    "See the contexts of your kubeconfig: kubectl config get-contexts",
  ],
  [/namespaces? ".*" not found/i, "Create it: kubectl create namespace NAME"],
  [
    /conflict(s)? with|Apply failed with \d+ conflict/i,
    "Somebody else manages these fields. Stop what sets them, or give them up: kubectl apply --server-side --field-manager=changelings --force-conflicts with the same object",
  ],
  [
    /forbidden: user|cannot (get|list|create|patch|delete) resource/i,
    "Your user may not do this; see: kubectl auth can-i --list",
  ],
  [/unauthorized|must be logged in|provide credentials/i, "Log in to the cluster again; see: kubectl auth whoami"],
  [
    /connection to the server .* was refused|unable to connect|no such host|i\/o timeout|localhost:8080/i,
    "The cluster can't be reached; see: kubectl cluster-info",
  ],
];

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** A Secret has its values in base64. */
function redacted(text: string, secrets: readonly string[]): string {
  return masked(text, [...secrets, ...secrets.map(base64)]);
}

/** Where the kubeconfig is, and what the login programs that it names read. */
const variables =
  /^(KUBECONFIG|KUBERNETES_SERVICE_(HOST|PORT)|(AWS|AZURE|CLOUDSDK|GOOGLE|DIGITALOCEAN|OCI|DOCTL)_\w+|USE_GKE_\w+)$/;

/** Whether a script that uses kubectl needs this variable of the user who runs `pulumi up`. */
export function isKubernetesVariable(name: string): boolean {
  return variables.test(name);
}

export function kubectlEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = Object.entries(env).filter(([name, value]) => isKubernetesVariable(name) && value);
  return { ...allowedEnvironment(env), ...(Object.fromEntries(own) as Record<string, string>) };
}
