import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubernetesCheck } from "../../components/seed-agent/kubernetes/doctor.ts";
import { kubernetesProvider } from "../../components/seed-agent/kubernetes/provider.ts";
import type { SeedAgentProvider } from "../../components/seed-agent/provider.ts";
import type { SeedAgentSpec } from "../../components/seed-agent/spec.ts";
import { builtKubernetes } from "../../scripts/stack/setup/kubernetes.ts";
import { onKubernetes, seedSecrets } from "../support/deployed-seed.ts";
import { KubernetesCluster } from "../support/kubernetes-cluster.ts";

/**
 * The provider against a real API server and real controllers of Kubernetes 1.37. Their pods run nothing: what becomes ready
 * is decided here. `npm test -- test/journeys/seed-kubernetes.test.ts` builds them first, once.
 */

const image = `registry.example.org/seed-agent@sha256:${"a".repeat(64)}`;
const programs = builtKubernetes();
const rolloutSeconds = 60;

describe.skipIf(programs === undefined)("a seed agent on a real API server", { timeout: 300_000 }, () => {
  let cluster: KubernetesCluster;
  let provider: SeedAgentProvider;
  const folder = mkdtempSync(join(tmpdir(), "seed-kubernetes-"));
  const spec = (changes: Partial<SeedAgentSpec> = {}) =>
    onKubernetes({ kubernetes: { namespace: "agents", image, storageClass: "growing" }, ...changes });
  const options = (changes: { release?: string; installation?: string } = {}) => ({
    ...{ installation: "i1", folder, release: "r1", secrets: seedSecrets },
    ...changes,
  });
  const deploy = (changes: Partial<SeedAgentSpec> = {}, more: Parameters<typeof options>[0] = {}) =>
    provider.deploy(spec(changes), options(more));
  const drift = async (changes: Partial<SeedAgentSpec> = {}, release = "r1") => {
    const declared = spec(changes);
    return provider.drift(declared, release, await provider.observe(declared.name, { ...options(), spec: declared }));
  };
  const kubectl = (...args: string[]) => cluster.kubectl(["--namespace=agents", ...args]);
  const uids = async () =>
    (await kubectl("get", "pods", "--output=jsonpath={.items[*].metadata.uid}")).split(" ").sort();

  beforeAll(async () => {
    cluster = new KubernetesCluster(programs ?? "");
    await cluster.start();
    provider = kubernetesProvider({ env: cluster.env, writeContext: async () => {}, rolloutSeconds });
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: volumes(4) }));
  }, 300_000);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("is applied, and applied again without a change", async () => {
    expect(await kubernetesCheck(spec(), cluster.env)).toMatchObject({ status: "ok" });
    expect(await deploy()).toMatchObject({ nodes: 2 });
    expect(await drift()).toBeUndefined();
    const before = await uids();
    expect(before).toHaveLength(2);
    await deploy();
    expect(await uids()).toEqual(before);
    expect(await kubectl("get", "statefulset", "seed-agent", "--output=jsonpath={.metadata.generation}")).toBe("1");
  });

  test("its pods fit the Pod Security Standard `restricted`", async () => {
    // The namespace enforces it: otherwise there would be no pods.
    const labels = await cluster.kubectl(["get", "namespace", "agents", "--output=jsonpath={.metadata.labels}"]);
    expect(labels).toContain('"pod-security.kubernetes.io/enforce":"restricted"');
  });

  test("reports a field that another manager set, and does not overwrite it", async () => {
    await kubectl("scale", "statefulset/seed-agent", "--replicas=3");
    expect(await drift()).toContain("3 of 2 nodes exist");
    await expect(deploy()).rejects.toThrow(/conflict.*replicas.*Another program manages these fields/s);
    await kubectl("scale", "statefulset/seed-agent", "--replicas=2");
    await deploy();
    expect(await drift()).toBeUndefined();
  });

  test("is rolled back by applying the former objects, and can be applied again afterwards", async () => {
    cluster.sick.add("bad");
    const short = kubernetesProvider({ env: cluster.env, writeContext: async () => {}, rolloutSeconds: 20 });
    const failed = short.deploy(spec({ mode: "off" }), options({ release: "bad" }));
    await expect(failed).rejects.toThrow("it was rolled back to the release r1");
    expect(await drift()).toBeUndefined();
    await deploy({ mode: "off" }, { release: "r2" });
    expect(await drift({ mode: "off" }, "r2")).toBeUndefined();
    await deploy();
    expect(await drift()).toBeUndefined();
  });

  test("prunes what is no longer declared, and nothing else", async () => {
    const labels = await kubectl("get", "service", "seed-agent", "--output=jsonpath={.metadata.labels}");
    const service = (name: string, own: object) => ({
      ...{ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "agents", labels: own } },
      spec: { ports: [{ port: 1 }] },
    });
    const items = [service("old", JSON.parse(labels) as object), service("mine", {})];
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    await deploy();
    const left = await kubectl("get", "services", "--output=jsonpath={.items[*].metadata.name}");
    expect(left.split(" ")).toEqual(["mine", "seed-agent", "seed-agent-headless"]);
  });

  test("grows volumes, and keeps the pods", async () => {
    const before = await uids();
    await deploy({ volumeGb: 9 });
    expect(await uids()).toEqual(before);
    const path = "--output=jsonpath={.items[*].spec.resources.requests.storage}";
    // One is of a pod that was scaled away.
    expect(await kubectl("get", "persistentvolumeclaims", path)).toBe("9Gi 9Gi 9Gi");
    expect(await drift({ volumeGb: 9 })).toBeUndefined();
    await expect(deploy()).rejects.toThrow("can't shrink");
  });

  test("is rejected for another stack", async () => {
    await expect(deploy({ volumeGb: 9 }, { installation: "i2" })).rejects.toThrow("belongs to the stack i1");
  });

  test("is removed without its claims, and then with them", async () => {
    const remove = (destroyData: boolean) => provider.remove("seed-agent", { ...options(), spec: spec(), destroyData });
    expect((await remove(false)).join()).toContain("data-seed-agent-0, data-seed-agent-1");
    expect(await drift()).toBe("it does not exist");
    expect(await remove(true)).toEqual([]);
    expect(await kubectl("get", "persistentvolumeclaims", "--output=name")).toBe("");
  });
});

/** Volumes of a class that can grow, as a cloud would provide them. */
function volumes(count: number): object[] {
  const growing = { provisioner: "kubernetes.io/no-provisioner", allowVolumeExpansion: true };
  return [
    { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "growing" }, ...growing },
    ...Array.from({ length: count }, (_, index) => ({
      ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: `volume-${index}` } },
      spec: {
        ...{ capacity: { storage: "20Gi" }, accessModes: ["ReadWriteOnce"], storageClassName: "growing" },
        ...{ persistentVolumeReclaimPolicy: "Retain", hostPath: { path: `/nowhere/${index}` } },
      },
    })),
  ];
}

if (programs === undefined) {
  test("a seed agent on a real API server", ({ skip }) =>
    skip("Kubernetes' control plane is not built; npm test -- test/journeys/seed-kubernetes.test.ts builds it"));
}
