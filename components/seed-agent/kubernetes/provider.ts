/**
 * Seed agents on Kubernetes, by server-side apply with the user's own kubectl and kubeconfig.
 *
 * Not by @pulumi/kubernetes: its plugin is downloaded from a release site, and takes an hour to build where that site is
 * blocked. Server-side apply does the same: the API server merges, tracks who set each field, and reports conflicts.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../lib/as-error.ts";
import { masked } from "../../lib/masking.ts";
import { driftFrom } from "../drift.ts";
import { type DeployOptions, type ObserveOptions, SeedAgentError, type SeedAgentProvider } from "../provider.ts";
import type { SeedAgentSpec } from "../spec.ts";
import { kubectlArguments as kubectl, type Target } from "./arguments.ts";
import { pushedImage } from "./image.ts";
import { appliedKinds, manifests } from "./manifests.ts";
import { annotations, kubernetesOf, labels, namesOf, selectorOf, selectorText, volumeSize } from "./names.ts";
import {
  anyObject,
  asApplied,
  declaredSettings,
  type LiveObject,
  node,
  objectList,
  observed,
  readStatefulSet,
} from "./observe.ts";
import { portForward } from "./port-forward.ts";
import { kubectlCli } from "./run-kubectl.ts";

export interface KubernetesOptions {
  /** Locates the kubeconfig and Docker. */
  readonly env: NodeJS.ProcessEnv;
  /** Writes the image's build context for a spec into a folder. */
  readonly writeContext: (spec: SeedAgentSpec, folder: string) => Promise<void>;
  readonly rolloutSeconds?: number;
}

const seconds = { asked: 60, applied: 120, removed: 300 };

export function kubernetesProvider(options: KubernetesOptions): SeedAgentProvider {
  const { env, writeContext, rolloutSeconds = 900 } = options;

  const list = async (target: Target, kinds: readonly string[], selector: string, signal?: AbortSignal) => {
    const printed = await kubectlCli.run(kubectl.get(target, kinds, selector), {
      env,
      signal,
      timeoutSeconds: seconds.asked,
    });
    return objectList.parse(JSON.parse(printed)).items;
  };

  return {
    async deploy(spec, deployOptions) {
      const { installation, secrets, release, signal, onProgress } = deployOptions;
      const target = targetOf(spec);
      const masks = { env, signal, onProgress, secrets: Object.values(secrets) };
      const selector = selectorOf(spec.name, installation);
      const before = await list(target, appliedKinds, selectorText(selector), signal);
      const former = before.find(({ kind }) => kind === "StatefulSet");
      if (former === undefined) await checkUnclaimed(spec, deployOptions);
      const image = await imageFor(spec, former, deployOptions);
      const declared = manifests(spec, { installation, release, image, secrets });
      if (former !== undefined) await growVolumes(spec, former, deployOptions);
      onProgress?.(`Applying ${declared.length} objects to the namespace ${target.namespace}`);
      const apply = (items: readonly unknown[]) =>
        kubectlCli.run(kubectl.apply(target), { ...masks, timeoutSeconds: seconds.applied, input: listOf(items) });
      await apply(declared);

      const rollout = () =>
        kubectlCli.try(kubectl.rolloutStatus(target, spec.name, rolloutSeconds), {
          ...masks,
          timeoutSeconds: rolloutSeconds + seconds.asked,
        });
      const ended = await rollout();
      signal?.throwIfAborted();
      if (ended.code !== 0) {
        const why = await reasons(target, selectorText(selector), ended.stderr);
        const message = `${spec.name} does not become healthy: ${why}; ${await rollBack(before, apply, rollout)}`;
        // A pod's log may contain its secrets.
        throw new SeedAgentError(masked(message, Object.values(secrets)));
      }
      const kept = new Set(declared.map(nameOf));
      await prune(target, before.filter((object) => !kept.has(nameOf(object))).map(nameOf), masks);
      return { url: undefined, nodes: spec.replicas };
    },

    async observe(name, { spec, installation, signal }) {
      const target = targetOf(required(name, spec));
      return observed(await list(target, ["statefulset", "pod"], selectorText(selectorOf(name, installation)), signal));
    },

    drift(spec, release, seen) {
      return driftFrom(declaredSettings(spec), { release, replicas: spec.replicas }, seen);
    },

    async remove(name, { spec, installation, destroyData, signal, onProgress }) {
      const target = targetOf(required(name, spec));
      const selector = selectorText(selectorOf(name, installation));
      const volumes = "persistentvolumeclaim";
      const found = await list(target, [...appliedKinds, volumes], selector, signal);
      const [claims, others] = [found.filter(isClaim), found.filter((object) => !isClaim(object))];
      const run = { env, signal, onProgress };
      await prune(target, others.map(nameOf), run);
      if (destroyData) await prune(target, claims.map(nameOf), run);
      if (destroyData || claims.length === 0) return [];
      const context = target.context === undefined ? "" : ` --context ${target.context}`;
      return [
        `the volumes ${claims.map(({ metadata }) => metadata.name).join(", ")} in the namespace ${target.namespace}; delete them with: kubectl delete pvc${context} --namespace ${target.namespace} --selector ${selector}`,
      ];
    },

    connect: (spec) => portForward(kubectl.portForward(targetOf(spec), namesOf(spec.name).service), { env }),

    async logs(name, { spec, installation, lines, signal }) {
      const target = targetOf(required(name, spec));
      const args = kubectl.logs(target, selectorText(selectorOf(name, installation)), lines);
      return await kubectlCli.run(args, { env, signal, timeoutSeconds: seconds.asked });
    },
  };

  /** The running image if it is of this release, so that a changed setting builds nothing. */
  async function imageFor(
    spec: SeedAgentSpec,
    former: LiveObject | undefined,
    deployOptions: DeployOptions,
  ): Promise<string> {
    const { folder, release, onProgress } = deployOptions;
    const { image } = kubernetesOf(spec);
    if (former !== undefined) {
      const live = readStatefulSet(former);
      if (live.release === release && live.image.startsWith(`${image}@`)) return live.image;
    }
    const contextFolder = join(folder, `${spec.name}.image`);
    const context = async () => {
      await writeContext(spec, contextFolder);
      return contextFolder;
    };
    try {
      return await pushedImage(image, { env, context, onProgress });
    } finally {
      rmSync(contextFolder, { recursive: true, force: true });
    }
  }

  /** @throws SeedAgentError if the stateful set belongs to somebody else, because applying would silently take it over */
  async function checkUnclaimed({ name, ...spec }: SeedAgentSpec, { signal }: ObserveOptions): Promise<void> {
    const target = targetOf({ name, ...spec });
    const args = kubectl.getOne(target, "statefulset", namesOf(name).statefulSet);
    const printed = (await kubectlCli.run(args, { env, signal, timeoutSeconds: seconds.asked })).trim();
    if (printed === "") return;
    const owner = anyObject.parse(JSON.parse(printed)).metadata.labels[labels.installation];
    const whose = owner === undefined ? "was not made by this project" : `belongs to the stack ${owner}`;
    throw new SeedAgentError(
      `the namespace ${target.namespace} already has a StatefulSet ${name}, which ${whose}; declare another namespace or name, or delete it: kubectl delete statefulset ${name} --namespace ${target.namespace}`,
    );
  }

  /** A stateful set's volumes can't be changed, so each claim is grown, and the set is replaced without its pods. */
  async function growVolumes(spec: SeedAgentSpec, former: LiveObject, deployOptions: DeployOptions): Promise<void> {
    const { installation, signal, onProgress } = deployOptions;
    const target = targetOf(spec);
    const { storage, storageClass } = readStatefulSet(former);
    const declared = kubernetesOf(spec).storageClass;
    if (declared !== undefined && storageClass !== undefined && declared !== storageClass) {
      throw new SeedAgentError(
        `the volumes of ${spec.name} have the storage class ${storageClass}, which can't be changed; write storage_class = "${storageClass}", or remove the changeling and its data first`,
      );
    }
    const [is, wanted] = [gibibytes(storage), spec.volumeGb];
    if (is === undefined || is === wanted) return;
    if (is > wanted) {
      throw new SeedAgentError(`the volumes of ${spec.name} have ${is} GB, and can't shrink; write volume_gb = ${is}`);
    }
    onProgress?.(`Growing the volumes from ${is} to ${wanted} GB`);
    const run = { env, signal, timeoutSeconds: seconds.applied };
    const selector = selectorText(selectorOf(spec.name, installation));
    for (const { metadata } of await list(target, ["persistentvolumeclaim"], selector, signal)) {
      await kubectlCli.run(kubectl.growClaim(target, metadata.name, volumeSize(spec)), run);
    }
    await kubectlCli.run(kubectl.deleteOrphaning(target, spec.name), run);
  }

  async function prune(target: Target, names: readonly string[], run: { readonly signal?: AbortSignal | undefined }) {
    if (names.length === 0) return;
    await kubectlCli.run(kubectl.delete(target, names), { ...run, env, timeoutSeconds: seconds.removed });
  }

  /** Applies the objects as they were. Not by `rollout undo`, whose field manager would own the template from then on. */
  async function rollBack(
    before: readonly LiveObject[],
    apply: (items: readonly unknown[]) => Promise<string>,
    rollout: () => Promise<{ readonly code: number }>,
  ): Promise<string> {
    const former = before.find(({ kind }) => kind === "StatefulSet");
    if (former === undefined) return "its pods are left for you to inspect; repair the cause, and run `up` again";
    const release = readStatefulSet(former).release ?? "before";
    try {
      await apply(before.map((object) => asApplied(object, Object.values(annotations))));
    } catch (error) {
      return `and the release ${release} can't be applied again: ${messageOf(error)}`;
    }
    const { code } = await rollout();
    return code === 0
      ? `it was rolled back to the release ${release}`
      : `the release ${release} was applied again, and is not healthy either`;
  }

  /** Why pods are not ready, and the last lines of the first one's log before it crashed. May contain secrets. */
  async function reasons(target: Target, selector: string, rolloutError: string): Promise<string> {
    const pods = await list(target, ["pod"], selector).catch(() => []);
    const sick = pods.map(node).filter(({ healthy }) => !healthy);
    if (sick.length === 0) return rolloutError.trim().split("\n").at(-1) || "the reason is unknown";
    const [first] = sick;
    const words = sick.map(({ id, problem }) => `${id}: ${problem}`).join("; ");
    const args = kubectl.previousLogs(target, first?.id ?? "", 5);
    const { code, stdout } = await kubectlCli.try(args, { env, timeoutSeconds: seconds.asked });
    return code === 0 && stdout.trim() !== "" ? `${words}. Its log ends with:\n${stdout.trim()}\n` : words;
  }
}

function targetOf(spec: SeedAgentSpec): Target {
  const { context, namespace } = kubernetesOf(spec);
  return { context, namespace };
}

function required(name: string, spec: SeedAgentSpec | undefined): SeedAgentSpec {
  if (spec === undefined)
    throw new SeedAgentError(`the cluster of ${name} is not known on this machine; run \`up\` once`);
  return spec;
}

function listOf(items: readonly unknown[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

function nameOf({ kind, metadata }: { readonly kind: string; readonly metadata: { readonly name: string } }): string {
  return `${kind.toLowerCase()}/${metadata.name}`;
}

const isClaim = ({ kind }: LiveObject) => kind === "PersistentVolumeClaim";

/** @returns undefined for a size that this project did not write */
function gibibytes(size: string | undefined): number | undefined {
  const found = /^(\d+)Gi$/.exec(size ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}
