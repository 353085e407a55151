import { join } from "node:path";
import { pythonInUse } from "./python.ts";
import { installPythonLock } from "./python-environment.ts";

/** Returns the path of kubernetes-validate, with the published schemas of Kubernetes 1.25 to 1.37: from PyPI in the cache. */
export async function findKubernetesValidate(): Promise<string> {
  const folder = await installPythonLock("-kubernetes", "Installing Kubernetes' schemas", await pythonInUse());
  return join(folder, "bin/kubernetes-validate");
}
