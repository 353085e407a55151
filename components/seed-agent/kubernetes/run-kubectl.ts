import { allowedEnvironment } from "../../lib/environment.ts";
import { ProviderCli } from "../provider-cli.ts";

export const kubectlMissing =
  "kubectl is not on the PATH; install it (https://kubernetes.io/docs/tasks/tools/), 1.25 or newer";

/** Remedies, by a pattern of kubectl's error output. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /context .* does not exist|context was not found/i,
    "See the contexts of your kubeconfig: kubectl config get-contexts",
  ],
  [/namespaces? ".*" not found/i, "Create it: kubectl create namespace NAME"],
  [
    /conflict(s)? with|Apply failed with \d+ conflict/i,
    "Another program manages these fields. Stop it from setting them, or let changelings own them: kubectl apply --server-side --field-manager=changelings --force-conflicts with the same object",
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

/** The location of the kubeconfig, and the variables of the login programs that it names. */
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

/** kubectl with the user's own kubeconfig. */
export const kubectlCli = new ProviderCli({
  program: "kubectl",
  missing: kubectlMissing,
  afterTimeout: "see: kubectl cluster-info",
  remedies,
  environment: kubectlEnvironment,
  // A Secret has its values in base64.
  redacted: (secrets) => [...secrets, ...secrets.map(base64)],
});
