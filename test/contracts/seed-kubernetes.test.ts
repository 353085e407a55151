import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { ProgramOptions } from "../../components/lib/process.ts";
import { kubernetesProvider } from "../../components/seed-agent/kubernetes/provider.ts";
import { onKubernetes } from "../support/deployed-seed.ts";
import { FakeKubectl, isReady } from "../support/fake-kubectl.ts";
import { describeSeedProvider } from "./seed-provider.ts";

/** The stand-in for kubectl works in this process; docker builds and pushes whatever it is asked to. */
const place = vi.hoisted(() => ({ kubectl: undefined as FakeKubectl | undefined, docker: [] as string[] }));
vi.mock("../../components/lib/process.ts", async (original) => ({
  ...(await original<typeof import("../../components/lib/process.ts")>()),
  runProgram: async (command: string, argv: readonly string[], given: ProgramOptions) => {
    if (command === "kubectl") return place.kubectl?.run(argv, given);
    place.docker.push(argv.join(" "));
    const isAsked = argv[1] === "inspect";
    const stdout = isAsked ? `["registry.example.org/seed-agent@sha256:${place.docker.length}"]\n` : "";
    return { code: 0, stdout, stderr: "" };
  },
}));

describeSeedProvider("Kubernetes, by a stand-in for kubectl", async () => {
  const kubectl = new FakeKubectl();
  place.kubectl = kubectl;
  const folder = mkdtempSync(join(tmpdir(), "seed-kubernetes-"));
  const change = (edit: (state: FakeKubectl["state"]) => void) => {
    const { state } = kubectl;
    edit(state);
    kubectl.state = state;
  };
  const named = (kind: string) => Object.values(kubectl.state.objects).filter((object) => object.kind === kind);
  return {
    provider: kubernetesProvider({ env: kubectl.env, writeContext: async () => {} }),
    spec: onKubernetes({ secrets: ["DATABASE_URL", "ANTHROPIC_API_KEY"] }),
    options: { installation: "i1", folder },
    async kill(node) {
      change((state) => {
        const pod = state.objects[`pod/${node}`];
        if (pod !== undefined) pod["status"].conditions[0].status = "False";
      });
    },
    async identities() {
      const pods = named("Pod").filter(isReady);
      return Object.fromEntries(pods.map(({ metadata }) => [metadata.name, metadata.uid ?? ""]));
    },
    async data() {
      return named("PersistentVolumeClaim")
        .map(({ metadata }) => metadata.name)
        .sort();
    },
    async traces() {
      // A Secret is where secrets are.
      const open = Object.values(kubectl.state.objects).filter(({ kind }) => kind !== "Secret");
      const argv = JSON.stringify(kubectl.calls().map((call) => call.argv));
      return { objects: JSON.stringify(open), argv, docker: place.docker.join("\n") };
    },
    async breakNext() {
      change((state) => void state.sick.push("1.0.1-bbbbbbbbbbbb"));
    },
    async end() {
      kubectl.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
