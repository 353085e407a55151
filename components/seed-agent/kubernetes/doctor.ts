import { notStarted } from "../../lib/process.ts";
import { type Check, failed, ok } from "../../stack/check.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { kubectlArguments as kubectl } from "./arguments.ts";
import { kubernetesOf } from "./names.ts";
import { kubectlCli, kubectlMissing } from "./run-kubectl.ts";

/** Whether kubectl is installed, knows the agent's context, and may apply its objects in the namespace. */
export async function kubernetesCheck(spec: SeedAgentSpec, env: NodeJS.ProcessEnv): Promise<Check> {
  const { context, namespace } = kubernetesOf(spec);
  const title = `kubectl, ${context ?? "the current context"}`;
  const options = { env, timeoutSeconds: 8 };
  const listed = await kubectlCli.try(kubectl.contexts(), options);
  if (listed.code === notStarted) return failed("kubectl", "not found", kubectlMissing);
  const contexts = listed.stdout.split("\n").filter(Boolean);
  if (context !== undefined && !contexts.includes(context)) {
    const known = contexts.length === 0 ? "it has none" : `it has ${contexts.join(", ")}`;
    return failed(title, `the kubeconfig has no such context; ${known}`, "write another context, or export KUBECONFIG");
  }
  const args = kubectl.mayApply({ context, namespace });
  const may = await kubectlCli.try(args, options);
  if (may.code === 0) return ok(title, `may apply in the namespace ${namespace}`);
  if (may.stdout.trim() === "no") {
    const remedy = "ask for the right to create, patch and delete them, or write another namespace";
    return failed(title, `may not patch stateful sets in the namespace ${namespace}`, remedy);
  }
  const [detail = "", remedy = "see: kubectl cluster-info"] = kubectlCli
    .errorOf(args, may, options)
    .message.split("\n");
  return failed(title, detail, remedy);
}
