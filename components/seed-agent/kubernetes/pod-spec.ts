import { serviceVariables } from "../service-variables.ts";
import { dataFolder, monitoringPort, type SeedAgentSpec, serviceUser } from "../spec.ts";
import { cookieName, kubernetesOf, namesOf } from "./names.ts";

/** How long a pod serves after its removal from the Service. */
const drainSeconds = 5;
const gracePeriodSeconds = 60;

export function podSpec(
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
      runAsUser: serviceUser,
      runAsGroup: serviceUser,
      fsGroup: serviceUser,
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
