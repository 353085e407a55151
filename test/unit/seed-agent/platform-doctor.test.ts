import { afterEach, describe, expect, test } from "vitest";
import { flyCheck } from "../../../components/seed-agent/fly/doctor.ts";
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
