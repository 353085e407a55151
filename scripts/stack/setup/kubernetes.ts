import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, keyOf, platform } from "./cache.mjs";
import { buildGoProgram, type Go, type GoProgram, withGo } from "./go.ts";
import { installFolder } from "./install.mjs";
import { SetupError, step } from "./progress.mjs";
import { findPython } from "./python.ts";

const version = "1.37.2";
const variable = (name: string) => `-X k8s.io/component-base/version.git${name}`;
const [major, minor] = version.split(".");
const flags = `${variable("Version")}=v${version} ${variable("Major")}=${major} ${variable("Minor")}=${minor}`;

/** An API server with its store, the controllers that make pods of a stateful set, and the client. No pod runs. */
const programs: readonly GoProgram[] = [
  { name: "etcd", module: "go.etcd.io/etcd/server/v3" },
  ...["kube-apiserver", "kube-controller-manager", "kubectl"].map((name) => ({
    ...{ name, folder: "kubernetes", module: `k8s.io/kubernetes/cmd/${name}`, flags },
  })),
];

/** The folder of the programs in the cache; undefined if they were not built yet. */
export function builtKubernetes(): string | undefined {
  const folder = folderOfKubernetes();
  return existsSync(folder) ? folder : undefined;
}

/** Builds Kubernetes' control plane into the cache, for its journey. @throws SetupError */
export async function setUpKubernetes(): Promise<string> {
  const folder = folderOfKubernetes();
  await installFolder(folder, async (temporary) => {
    await withGo(await findPython(), (go) =>
      step("Building Kubernetes' control plane (10 minutes, once)", () => build(go, temporary)),
    );
  });
  return folder;
}

function folderOfKubernetes(): string {
  const paths = ["scripts/stack/setup/go/etcd", "scripts/stack/setup/go/kubernetes"];
  return join(cacheFolder(), "kubernetes", keyOf({ texts: [platform, version], paths }));
}

async function build(go: Go, folder: string): Promise<void> {
  try {
    for (const program of programs) await buildGoProgram(go, program, folder);
  } catch (error) {
    if (error instanceof SetupError) error.remedy = "Check that Go can reach its module proxy.";
    throw error;
  }
}
