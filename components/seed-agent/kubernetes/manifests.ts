import { secretsFingerprint } from "../secrets-fingerprint.ts";
import { serviceVariables } from "../service-variables.ts";
import { dataFolder, monitoringPort, type SeedAgentSpec } from "../spec.ts";

/** A Kubernetes object. Its content is checked against the published schemas in tests, and by the API server. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ManifestOptions {
  readonly installation: string;
  readonly release: string;
  /** The image as nodes pull it, with its digest where it is known. */
  readonly image: string;
  /** Secret values, RELEASE_COOKIE among them. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Who wrote the fields that this project applies, in `metadata.managedFields`. */
export const fieldManager = "changelings";

const domain = "changelings.dev";
export const labels = {
  name: "app.kubernetes.io/name",
  instance: "app.kubernetes.io/instance",
  managedBy: "app.kubernetes.io/managed-by",
  installation: `${domain}/installation`,
  /** A pod with this label, `"true"`, may read /metrics on the monitoring port, from any namespace. */
  scraper: `${domain}/scrapes-seed-agents`,
} as const;
export const annotations = {
  release: `${domain}/release`,
  /** Changes with the secrets, so that pods restart with new ones. Keyed, so that it reveals nothing. */
  secrets: `${domain}/secrets`,
} as const;

/** The user of the image's service (`image/Dockerfile`). */
const user = 10_001;
/** How long a pod still serves after it was removed from the Service, in seconds. */
const drainSeconds = 5;
const gracePeriodSeconds = 60;

export const cookieName = "RELEASE_COOKIE";
export const namesOf = (name: string) => ({
  statefulSet: name,
  service: name,
  headless: `${name}-headless`,
  /** Spec 003: `seed-agent-cookie`, with the key `cookie`. */
  cookie: `${name}-cookie`,
  secrets: `${name}-secrets`,
  serviceAccount: name,
  volume: "data",
});

/** The labels that all objects of one seed agent have, and no other object. */
export function selectorOf(name: string, installation: string): Record<string, string> {
  return { [labels.name]: "seed-agent", [labels.instance]: name, [labels.installation]: installation };
}

export function selectorText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(",");
}

/** The kinds of `manifests`, as kubectl names them. What has the agent's labels, and is not declared, is pruned. */
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
            // What Prometheus' usual configuration for pods reads.
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

function podSpec(
  selector: Readonly<Record<string, string>>,
  spec: SeedAgentSpec,
  image: string,
  secrets: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const names = namesOf(spec.name);
  const probe = { httpGet: { path: "/health", port: "http" } };
  return {
    serviceAccountName: names.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: gracePeriodSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    topologySpreadConstraints: ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
      maxSkew: 1,
      topologyKey,
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: selector },
    })),
    containers: [
      {
        name: "seed-agent",
        image,
        // A tag can be pushed again, a digest can't.
        imagePullPolicy: image.includes("@sha256:") ? "IfNotPresent" : "Always",
        ports: [
          { name: "http", containerPort: spec.port },
          { name: "monitoring", containerPort: monitoringPort },
        ],
        env: environment(spec, Object.keys(secrets)),
        // The deep check needs a token, and a database that is away must not restart or unpublish pods that still serve.
        startupProbe: { ...probe, periodSeconds: 2, failureThreshold: 90 },
        readinessProbe: { ...probe, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
        livenessProbe: { ...probe, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
        // Requests still arrive until every proxy has learned that the pod ends.
        lifecycle: { preStop: { exec: { command: ["sleep", String(drainSeconds)] } } },
        resources: {
          requests: { cpu: "250m", memory: "512Mi", "ephemeral-storage": "256Mi" },
          // No limit of CPU: it would slow type checks and tests, and so make them fail.
          limits: { memory: "2Gi", "ephemeral-storage": "2Gi" },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: [
          { name: names.volume, mountPath: dataFolder },
          { name: "tmp", mountPath: "/tmp" },
        ],
      },
    ],
    volumes: [{ name: "tmp", emptyDir: { sizeLimit: "1Gi" } }],
  };
}

/** A node's variables. Sorted, so that the same spec makes the same pods. */
export function environment(spec: SeedAgentSpec, secretNames: readonly string[]): Record<string, unknown>[] {
  const { namespace } = kubernetesOf(spec);
  const names = namesOf(spec.name);
  const values = {
    ...serviceVariables(spec),
    SEED_HOST: "::",
    SEED_DATA_DIR: dataFolder,
    SEED_MONITORING_PORT: String(monitoringPort),
    DNS_CLUSTER_QUERY: `${names.headless}.${namespace}.svc.cluster.local`,
  };
  const others = secretNames.filter((name) => name !== cookieName);
  return [
    ...Object.entries(values).map(([name, value]) => ({ name, value })),
    // A pod keeps its name, and so its identity and its volume, when it is replaced.
    { name: "SEED_NODE", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: cookieName, valueFrom: { secretKeyRef: { name: names.cookie, key: "cookie" } } },
    ...others.map((name) => ({ name, valueFrom: { secretKeyRef: { name: names.secrets, key: name } } })),
  ].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * Who may reach the nodes, and what they may reach. A policy knows addresses and ports, no paths and no host names:
 * `/metrics` is restricted because it has a port of its own, while the port of all other endpoints (peers included, which
 * authenticate each other) is open to the cluster; and "the model's API" can only be said as port 443 of public addresses.
 */
function networkPolicy(
  metadata: ObjectMeta,
  selector: Readonly<Record<string, string>>,
  spec: SeedAgentSpec,
  secrets: Readonly<Record<string, string>>,
): KubernetesObject {
  const tcp = (port: number) => [{ protocol: "TCP", port }];
  const database = databasePort(secrets["DATABASE_URL"]);
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata,
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { ports: tcp(spec.port) },
        {
          ports: tcp(monitoringPort),
          from: [{ namespaceSelector: {}, podSelector: { matchLabels: { [labels.scraper]: "true" } } }],
        },
      ],
      egress: [
        {
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
        { ports: tcp(spec.port), to: [{ podSelector: { matchLabels: selector } }] },
        ...(database === undefined ? [] : [{ ports: tcp(database) }]),
        { ports: tcp(443), to: publicAddresses },
      ],
    },
  };
}

/** Everything but private, link-local (which includes clouds' metadata services) and shared addresses. */
const publicAddresses = [
  {
    ipBlock: {
      cidr: "0.0.0.0/0",
      except: ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"],
    },
  },
  { ipBlock: { cidr: "::/0", except: ["fc00::/7", "fe80::/10"] } },
];

/** @returns undefined without a database, or where the URL has none, such as one with a socket's path */
export function databasePort(url: string | undefined): number | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { port } = new URL(url);
  return port === "" ? 5432 : Number(port);
}

function servicePorts({ port }: SeedAgentSpec): Record<string, unknown>[] {
  return [{ name: "http", protocol: "TCP", port, targetPort: "http" }];
}

/** `data`, because `stringData` is not tracked by server-side apply. */
function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>): KubernetesObject {
  const data = Object.entries(values).map(([name, value]) => [name, Buffer.from(value).toString("base64")]);
  return { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data: Object.fromEntries(data) };
}

export function volumeSize({ volumeGb }: SeedAgentSpec): string {
  return `${volumeGb}Gi`;
}

/** @throws if the spec is of another provider, which is a mistake of this program */
export function kubernetesOf({ kubernetes, name }: SeedAgentSpec): NonNullable<SeedAgentSpec["kubernetes"]> {
  if (kubernetes === undefined) throw new Error(`the spec of ${name} has no settings for Kubernetes`);
  return kubernetes;
}
