import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ProgramOptions } from "../../../../components/lib/process.ts";
import { kubernetesProvider } from "../../../../components/seed-agent/kubernetes/provider.ts";
import type { SeedAgentProvider } from "../../../../components/seed-agent/provider.ts";
import type { SeedAgentSpec } from "../../../../components/seed-agent/spec.ts";
import { onKubernetes, seedSecrets } from "../../../support/deployed-seed.ts";
import { FakeKubectl } from "../../../support/fake-kubectl.ts";

/** The fake runs in this process, so that all failures can be tried. One test runs it as a program. */
const place = vi.hoisted(() => ({
  isProgram: false,
  kubectl: undefined as FakeKubectl | undefined,
  docker: [] as string[],
  dockerError: "",
}));
vi.mock("../../../../components/lib/process.ts", async (original) => {
  const real = await original<typeof import("../../../../components/lib/process.ts")>();
  return {
    ...real,
    runProgram: async (command: string, argv: readonly string[], given: ProgramOptions) => {
      if (command === "kubectl") {
        return place.isProgram ? real.runProgram(command, argv, given) : place.kubectl?.run(argv, given);
      }
      place.docker.push(argv.join(" "));
      if (place.dockerError !== "") return { code: 1, stdout: "", stderr: place.dockerError };
      const isAsked = argv[1] === "inspect";
      return { code: 0, stdout: isAsked ? `["registry.example.org/seed-agent@sha256:abc"]\n` : "", stderr: "" };
    },
  };
});

let kubectl: FakeKubectl;
let provider: SeedAgentProvider;
let folder: string;

beforeEach(() => {
  kubectl = new FakeKubectl();
  Object.assign(place, { isProgram: false, kubectl, docker: [], dockerError: "" });
  folder = mkdtempSync(join(tmpdir(), "kubernetes-"));
  provider = kubernetesProvider({ env: kubectl.env, writeContext: async () => {} });
});
afterEach(() => {
  kubectl.remove();
  rmSync(folder, { recursive: true });
});

const options = (changes: { release?: string; secrets?: Record<string, string>; installation?: string } = {}) => ({
  ...{ installation: "i1", folder, release: "r1", secrets: seedSecrets },
  ...changes,
});
const deploy = (spec: SeedAgentSpec = onKubernetes(), changes: Parameters<typeof options>[0] = {}) =>
  provider.deploy(spec, options(changes));
const observe = (spec: SeedAgentSpec = onKubernetes()) => provider.observe(spec.name, { ...options(), spec });
const objects = () => kubectl.state.objects;
const change = (edit: (state: FakeKubectl["state"]) => void) => {
  const { state } = kubectl;
  edit(state);
  kubectl.state = state;
};

describe("a deployment", () => {
  test("creates spec 003's objects", async () => {
    await deploy();
    const made = Object.keys(objects()).filter((key) => !key.startsWith("pod/"));
    expect(made.sort()).toEqual([
      "networkpolicy/seed-agent",
      "persistentvolumeclaim/data-seed-agent-0",
      "persistentvolumeclaim/data-seed-agent-1",
      "poddisruptionbudget/seed-agent",
      "secret/seed-agent-cookie",
      "secret/seed-agent-secrets",
      "service/seed-agent",
      "service/seed-agent-headless",
      "serviceaccount/seed-agent",
      "statefulset/seed-agent",
    ]);
  });

  test("passes secrets by stdin alone", async () => {
    place.isProgram = true;
    await deploy();
    for (const { argv, stdin, variables } of kubectl.calls()) {
      for (const value of Object.values(seedSecrets)) {
        for (const form of [value, Buffer.from(value).toString("base64")]) {
          expect(argv.join(" ")).not.toContain(form);
          if (argv.includes("apply")) expect(stdin).toContain(Buffer.from(value).toString("base64"));
        }
      }
      expect(variables).not.toContain("RELEASE_COOKIE");
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test("builds and pushes the image once for a release, and runs it by its digest", async () => {
    await deploy();
    await deploy(onKubernetes({ mode: "off" }));
    expect(place.docker.map((call) => call.split(" ")[0])).toEqual(["build", "push", "image"]);
    const image = "registry.example.org/seed-agent:1@sha256:abc";
    expect(objects()["statefulset/seed-agent"]?.["spec"].template.spec.containers[0].image).toBe(image);
    await deploy(onKubernetes(), { release: "r2" });
    expect(place.docker).toHaveLength(6);
  });

  test("uses an image with a digest as it is", async () => {
    const image = `ghcr.io/me/seed-agent@sha256:${"a".repeat(64)}`;
    await deploy(onKubernetes({ kubernetes: { namespace: "agents", image } }));
    expect(place.docker).toEqual([]);
  });

  test("says how to log in to the registry", async () => {
    place.dockerError = "denied: requested access to the resource is denied";
    await expect(deploy()).rejects.toThrow("docker login registry.example.org");
    expect(objects()).toEqual({});
  });

  test("that is not healthy is rolled back, secrets included, and can be repeated", async () => {
    await deploy();
    const before = structuredClone(objects()["statefulset/seed-agent"]?.["spec"]);
    change((state) => void state.sick.push("r2"));
    const secrets = { ...seedSecrets, CLAUDE_CODE_OAUTH_TOKEN: "another" };
    const failed = deploy(onKubernetes({ mode: "off" }), { release: "r2", secrets });
    await expect(failed).rejects.toThrow(/CrashLoopBackOff.*it does not start.*rolled back to the release r1/s);
    expect(objects()["statefulset/seed-agent"]?.["spec"]).toEqual(before);
    const kept = Buffer.from(seedSecrets.CLAUDE_CODE_OAUTH_TOKEN).toString("base64");
    expect(objects()["secret/seed-agent-secrets"]?.["data"]["CLAUDE_CODE_OAUTH_TOKEN"]).toBe(kept);
    expect(provider.drift(onKubernetes(), "r1", await observe())).toBeUndefined();
    change((state) => void state.sick.pop());
    await deploy(onKubernetes({ mode: "off" }), { release: "r2", secrets });
  });

  test("that is the first and not healthy leaves its pods to inspect", async () => {
    change((state) => void state.sick.push("r1"));
    await expect(deploy()).rejects.toThrow("its pods are left for you to inspect");
    expect(objects()["pod/seed-agent-0"]).toBeDefined();
  });

  test("redacts secrets from the log of a pod that crashes", async () => {
    change((state) => {
      state.sick.push("r1");
      state.crashLog = `can't connect to ${seedSecrets.DATABASE_URL}`;
    });
    const error = await deploy().catch(String);
    expect(error).toContain("can't connect to ");
    expect(error).not.toContain("password-that-is-secret");
  });

  test("prunes what is no longer declared, and nothing else", async () => {
    await deploy();
    const labels = objects()["service/seed-agent"]?.metadata.labels ?? {};
    change((state) => {
      const metadata = { namespace: "agents", labels };
      state.objects["service/old"] = { apiVersion: "v1", kind: "Service", metadata: { ...metadata, name: "old" } };
      const mine = { namespace: "agents", name: "mine", labels: {} };
      state.objects["service/mine"] = { apiVersion: "v1", kind: "Service", metadata: mine };
    });
    await deploy();
    expect(objects()["service/old"]).toBeUndefined();
    expect(objects()["service/mine"]).toBeDefined();
    expect(objects()["persistentvolumeclaim/data-seed-agent-0"]).toBeDefined();
  });

  test("grows volumes without a restart of pods, and rejects shrinking or moving them", async () => {
    await deploy(onKubernetes({ volumeGb: 5 }));
    const pod = objects()["pod/seed-agent-0"]?.metadata.uid;
    await deploy(onKubernetes({ volumeGb: 9 }));
    expect(objects()["persistentvolumeclaim/data-seed-agent-1"]?.["spec"].resources.requests.storage).toBe("9Gi");
    expect(objects()["pod/seed-agent-0"]?.metadata.uid).toBe(pod);
    await expect(deploy(onKubernetes({ volumeGb: 5 }))).rejects.toThrow("can't shrink; write volume_gb = 9");
  });

  test("rejects another stack's objects, and reports fields of another manager", async () => {
    await deploy();
    await expect(deploy(onKubernetes(), { installation: "i2" })).rejects.toThrow("belongs to the stack i1");
    change((state) => {
      state.owned["statefulset/seed-agent"] = "hpa";
    });
    await expect(deploy(onKubernetes({ replicas: 3 }))).rejects.toThrow(
      /conflict with "hpa".*Another program manages/s,
    );
  });

  test("names a missing namespace", async () => {
    const other = onKubernetes({ kubernetes: { namespace: "nowhere", image: "a@sha256:1" } });
    await expect(deploy(other)).rejects.toThrow("kubectl create namespace");
  });

  test.each(["before", "after"] as const)("cut off %s any call, is finished by the next one", async (when) => {
    for (let call = 0; call < 20; call += 1) {
      kubectl.state = { ...kubectl.state, objects: {}, made: 0 };
      kubectl.failAt({ call, when });
      await deploy().catch(() => {});
      const made = kubectl.calls().length;
      kubectl.failAt(undefined);
      await deploy();
      expect(provider.drift(onKubernetes(), "r1", await observe()), `call ${call}`).toBeUndefined();
      if (made <= call) break;
    }
  });
});

test("a variable that somebody added by hand is drift", async () => {
  await deploy();
  change((state) => {
    state.objects["statefulset/seed-agent"]?.["spec"].template.spec.containers[0].env.push({ name: "X", value: "1" });
  });
  expect(provider.drift(onKubernetes(), "r1", await observe())).toBe('env X is "1", not unset');
});

test("a secret that is declared but not set here is not drift", async () => {
  const { CLAUDE_CODE_OAUTH_TOKEN: _, ...secrets } = seedSecrets;
  await deploy(onKubernetes(), { secrets });
  expect(provider.drift(onKubernetes(), "r1", await observe())).toBeUndefined();
});

test("observes with one process", async () => {
  await deploy(onKubernetes({ replicas: 5 }));
  kubectl.forget();
  await observe();
  expect(kubectl.calls()).toHaveLength(1);
});

test("a removal fails if the cluster can't be asked", async () => {
  kubectl.failAt({ call: 0, when: "before" });
  const removed = provider.remove("seed-agent", { ...options(), spec: onKubernetes(), destroyData: false });
  await expect(removed).rejects.toThrow("the platform was cut off");
});

test("without kubectl, the error says how to install it", async () => {
  place.isProgram = true;
  const missing = kubernetesProvider({ env: { PATH: "/nowhere" }, writeContext: async () => {} });
  await expect(missing.deploy(onKubernetes(), options())).rejects.toThrow("https://kubernetes.io/docs/tasks/tools/");
});
