import { monitoringPort, type SeedAgentSpec } from "../spec.ts";
import type { KubernetesObject, ObjectMeta } from "./kubernetes-object.ts";
import { labels } from "./names.ts";

/**
 * Who may reach the nodes, and what they may reach. A policy can name addresses and ports, but no paths or host names. So
 * `/metrics` is restricted because it has its own port, while the port of all other endpoints (including those of peers,
 * which authenticate each other) is open to the cluster, and the model's API is port 443 of any public address.
 */
export function networkPolicy(
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

/** @returns undefined without a database, or for a URL without a host, such as that of a socket */
export function databasePort(url: string | undefined): number | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { port } = new URL(url);
  return port === "" ? 5432 : Number(port);
}
