import { describe, expect, test } from "vitest";
import type { KubernetesObject } from "../../../../components/seed-agent/kubernetes/kubernetes-object.ts";
import { manifests } from "../../../../components/seed-agent/kubernetes/manifests.ts";
import { databasePort } from "../../../../components/seed-agent/kubernetes/network-policy.ts";
import { onKubernetes, seedSecrets } from "../../../support/deployed-seed.ts";

const options = { installation: "i1", release: "r1", image: "registry.example.org/seed-agent:1@sha256:abc" };
const made = (changes: Parameters<typeof onKubernetes>[0] = {}, secrets: Record<string, string> = seedSecrets) =>
  manifests(onKubernetes(changes), { ...options, secrets });
const find = (objects: readonly KubernetesObject[], kind: string, name = "seed-agent") =>
  objects.find((object) => object.kind === kind && object.metadata.name === name);

describe("the manifests", () => {
  test("run a stateful set as spec 003 asks, with nothing that a pod does not need", () => {
    expect(find(made(), "StatefulSet")).toMatchObject({
      spec: {
        replicas: 2,
        serviceName: "seed-agent-headless",
        podManagementPolicy: "Parallel",
        template: {
          spec: {
            automountServiceAccountToken: false,
            securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
            containers: [
              {
                image: options.image,
                securityContext: {
                  allowPrivilegeEscalation: false,
                  readOnlyRootFilesystem: true,
                  capabilities: { drop: ["ALL"] },
                },
                startupProbe: { httpGet: { path: "/health" } },
                readinessProbe: { httpGet: { path: "/health" } },
                livenessProbe: { httpGet: { path: "/health" } },
                volumeMounts: [{ name: "data", mountPath: "/data" }, { mountPath: "/tmp" }],
              },
            ],
          },
        },
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: { resources: { requests: { storage: "5Gi" } } } }],
      },
    });
  });

  test("name the cookie and the peers as spec 003 does", () => {
    const cookie = Buffer.from(seedSecrets.RELEASE_COOKIE).toString("base64");
    expect(find(made(), "Secret", "seed-agent-cookie")).toMatchObject({ data: { cookie } });
    expect(find(made(), "Service", "seed-agent-headless")).toMatchObject({
      spec: { clusterIP: "None", publishNotReadyAddresses: true },
    });
    expect(JSON.stringify(find(made(), "StatefulSet"))).toContain(
      '{"name":"DNS_CLUSTER_QUERY","value":"seed-agent-headless.agents.svc.cluster.local"}',
    );
  });

  test("have secrets in Secrets alone", () => {
    for (const object of made()) {
      for (const value of Object.values(seedSecrets)) {
        const text = JSON.stringify(object);
        expect(text, object.kind).not.toContain(value);
        if (object.kind !== "Secret") expect(text, object.kind).not.toContain(Buffer.from(value).toString("base64"));
      }
    }
  });

  test("restart pods with a new secret, and tell nothing about it", () => {
    const annotations = (secrets: Record<string, string>) =>
      JSON.stringify(find(made({}, secrets), "StatefulSet")).match(/"changelings.dev\/secrets":"(\w+)"/)?.[1];
    expect(annotations(seedSecrets)).toBe(annotations({ ...seedSecrets }));
    expect(annotations(seedSecrets)).not.toBe(annotations({ ...seedSecrets, CLAUDE_CODE_OAUTH_TOKEN: "another" }));
  });

  test("open the monitoring port to scrapers alone, and the metadata service to nobody", () => {
    const policy = JSON.stringify(find(made(), "NetworkPolicy"));
    expect(find(made(), "NetworkPolicy")).toMatchObject({
      spec: {
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          { ports: [{ port: 4000 }] },
          {
            ports: [{ port: 9091 }],
            from: [{ podSelector: { matchLabels: { "changelings.dev/scrapes-seed-agents": "true" } } }],
          },
        ],
      },
    });
    expect(policy).toContain("169.254.0.0/16");
    expect(policy).toContain('{"ports":[{"protocol":"TCP","port":6432}]}');
    // A Service of type LoadBalancer or NodePort would open it to more than the cluster.
    expect(JSON.stringify(find(made(), "Service"))).not.toContain("9091");
  });

  test("are the same for the same spec", () => {
    expect(JSON.stringify(made())).toBe(JSON.stringify(made()));
  });

  test.each([
    ["postgres://a:b@h/d", 5432],
    ["postgresql://a:b@h:6432/d", 6432],
    ["postgres://a:b@[fd00::1]:5433/d", 5433],
    ["not a url", undefined],
    [undefined, undefined],
  ])("the port of %j is %j", (url, port) => expect(databasePort(url)).toBe(port));
});
