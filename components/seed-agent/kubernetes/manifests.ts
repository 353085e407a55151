import { secretsFingerprint } from "../secrets-fingerprint.ts";
import { monitoringPort, type SeedAgentSpec } from "../spec.ts";
import type { KubernetesObject, ObjectMeta } from "./kubernetes-object.ts";
import {
  annotations,
  cookieName,
  fieldManager,
  kubernetesOf,
  labels,
  namesOf,
  selectorOf,
  volumeSize,
} from "./names.ts";
import { networkPolicy } from "./network-policy.ts";
import { podSpec } from "./pod-spec.ts";

export interface ManifestOptions {
  readonly installation: string;
  readonly release: string;
  /** The image as nodes pull it, with its digest if that is known. */
  readonly image: string;
  /** Secret values, including RELEASE_COOKIE. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** The kinds of `manifests`, as kubectl names them. Objects with the agent's labels that are not declared are pruned. */
export const appliedKinds = [
  "statefulset",
  "service",
  "secret",
  "serviceaccount",
  "poddisruptionbudget",
  "networkpolicy",
];

/** All objects of a seed agent, in the order in which they are applied. Pure. */
export function manifests(spec: SeedAgentSpec, options: ManifestOptions): KubernetesObject[] {
  const { namespace } = kubernetesOf(spec);
  const names = namesOf(spec.name);
  const selector = selectorOf(spec.name, options.installation);
  const metadata = (name: string): ObjectMeta => ({
    name,
    namespace,
    labels: { ...selector, [labels.managedBy]: fieldManager },
  });
  const { [cookieName]: cookie = "", ...others } = options.secrets;
  const ports = servicePorts(spec);
  return [
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadata(names.serviceAccount),
      automountServiceAccountToken: false,
    },
    secret(metadata(names.cookie), { cookie }),
    ...(Object.keys(others).length > 0 ? [secret(metadata(names.secrets), others)] : []),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata(names.service),
      spec: { type: "ClusterIP", selector, ports },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata(names.headless),
      // A node finds its peers before it is ready itself.
      spec: {
        ...{ type: "ClusterIP", clusterIP: "None", publishNotReadyAddresses: true, selector },
        ports: [...ports, { name: "monitoring", protocol: "TCP", port: monitoringPort, targetPort: "monitoring" }],
      },
    },
    networkPolicy(metadata(names.statefulSet), selector, spec, options.secrets),
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: metadata(names.statefulSet),
      // Not `minAvailable`, which would block every drain of a node where there is one replica.
      spec: { maxUnavailable: 1, selector: { matchLabels: selector } },
    },
    statefulSet(metadata(names.statefulSet), selector, spec, options),
  ];
}

function statefulSet(
  metadata: ObjectMeta,
  selector: Readonly<Record<string, string>>,
  spec: SeedAgentSpec,
  { release, image, secrets }: ManifestOptions,
): KubernetesObject {
  const names = namesOf(spec.name);
  const { storageClass } = kubernetesOf(spec);
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { ...metadata, annotations: { [annotations.release]: release } },
    spec: {
      replicas: spec.replicas,
      serviceName: names.headless,
      // Peers need each other, so all start at once. With OrderedReady an update that was undone would also wait for its
      // broken pod for ever (Kubernetes documents it as "forced rollback").
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "RollingUpdate" },
      revisionHistoryLimit: 5,
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels: metadata.labels,
          annotations: {
            [annotations.release]: release,
            [annotations.secrets]: secretsFingerprint(secrets),
            // Prometheus' usual configuration for pods reads these.
            ...{ "prometheus.io/scrape": "true", "prometheus.io/path": "/metrics" },
            "prometheus.io/port": String(monitoringPort),
          },
        },
        spec: podSpec(selector, spec, image, secrets),
      },
      volumeClaimTemplates: [
        {
          metadata: { name: names.volume, labels: selector },
          spec: {
            accessModes: ["ReadWriteOnce"],
            ...(storageClass !== undefined && { storageClassName: storageClass }),
            resources: { requests: { storage: volumeSize(spec) } },
          },
        },
      ],
    },
  };
}

function servicePorts({ port }: SeedAgentSpec): Record<string, unknown>[] {
  return [{ name: "http", protocol: "TCP", port, targetPort: "http" }];
}

/** `data`, because `stringData` is not tracked by server-side apply. */
function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>): KubernetesObject {
  const data = Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString("base64")]);
  return { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data: Object.fromEntries(data) };
}
