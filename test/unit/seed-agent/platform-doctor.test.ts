import { afterEach, describe, expect, test, vi } from "vitest";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { flyCheck } from "../../../components/seed-agent/fly/doctor.ts";
import { seedAgentOf } from "../../../components/seed-agent/from-program.ts";
import { diagnoseSeedAgents } from "../../../components/seed-agent/inspect/doctor.ts";
import { kubernetesCheck } from "../../../components/seed-agent/kubernetes/doctor.ts";
import { onKubernetes } from "../../support/deployed-seed.ts";
import { FakeFlyctl } from "../../support/fake-flyctl.ts";
import { FakeKubectl } from "../../support/fake-kubectl.ts";

let made: { remove(): void }[] = [];
afterEach(() => {
  for (const each of made) each.remove();
  made = [];
});
function used<Fake extends { remove(): void }>(fake: Fake): Fake {
  made.push(fake);
  return fake;
}

describe("doctor on Fly", () => {
  test("shows who is logged in", async () => {
    const flyctl = used(new FakeFlyctl());
    expect(await flyCheck(flyctl.env)).toMatchObject({ status: "ok", detail: "logged in as ada@example.org" });
  });

  test("says how to log in, and how to install flyctl", async () => {
    const flyctl = used(new FakeFlyctl());
    flyctl.failAt({ call: 0, when: "before" });
    expect(await flyCheck(flyctl.env)).toMatchObject({ status: "failed", remedy: "flyctl auth login" });
    expect(await flyCheck({ PATH: "/nowhere" })).toMatchObject({ status: "failed", detail: "not found" });
  });
});

describe("doctor on Kubernetes", () => {
  const inContext = (context?: string) =>
    onKubernetes({ kubernetes: { context, namespace: "agents", image: "a@sha256:1" } });

  test("checks the context and the rights", async () => {
    const kubectl = used(new FakeKubectl());
    expect(await kubernetesCheck(inContext("here"), kubectl.env)).toMatchObject({ status: "ok" });
    expect(await kubernetesCheck(inContext(), kubectl.env)).toMatchObject({ status: "ok" });
    expect(await kubernetesCheck(inContext("elsewhere"), kubectl.env)).toMatchObject({
      status: "failed",
      detail: "the kubeconfig has no such context; it has here",
    });
    kubectl.state = { ...kubectl.state, forbidden: true };
    expect(await kubernetesCheck(inContext(), kubectl.env)).toMatchObject({
      status: "failed",
      detail: "may not patch stateful sets in the namespace agents",
    });
    kubectl.failAt({ call: "--namespace=agents auth", when: "before" });
    expect(await kubernetesCheck(inContext(), kubectl.env)).toMatchObject({
      detail: expect.stringContaining("the platform was cut off"),
    });
  });

  test("says how to install kubectl", async () => {
    expect(await kubernetesCheck(inContext(), { PATH: "/nowhere" })).toMatchObject({ detail: "not found" });
  });
});

describe("doctor on Docker", () => {
  test("checks Docker once for all enabled agents", async () => {
    vi.stubEnv("PATH", "/nowhere");
    const inDocker = (name: string, enabled = true) => seedAgentOf(name, { provider: "docker", enabled });
    const checksOf = async (...changelings: ReturnType<typeof seedAgentOf>[]) => {
      const modal = () => Promise.reject(new Error("not asked"));
      const paths = installationPaths("doctor", "/nowhere");
      const declared = Promise.resolve({ changelings, settings: {}, mngrProfile: undefined, isAbsent: false });
      const stack = { name: "test", installation: "doctor", paths, provider: undefined, modal };
      const diagnosis = await diagnoseSeedAgents(stack, { deep: false, declared, onModal: Promise.resolve(undefined) });
      return diagnosis.declared;
    };
    expect(await checksOf(inDocker("one"), inDocker("two"))).toMatchObject([
      { status: "failed", name: "docker", detail: expect.stringContaining("docker is not on the PATH") },
    ]);
    expect(await checksOf(inDocker("one", false))).toEqual([]);
    vi.unstubAllEnvs();
  });
});
