import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubernetesObject } from "../../components/seed-agent/kubernetes/kubernetes-object.ts";
import { manifests } from "../../components/seed-agent/kubernetes/manifests.ts";
import { findKubernetesValidate } from "../../scripts/stack/setup/kubernetes-validate.ts";
import { onKubernetes, seedSecrets } from "../support/deployed-seed.ts";

/** The manifests against Kubernetes' published schemas, in which an unknown field is an error. */

const versions = Array.from({ length: 13 }, (_, index) => `1.${25 + index}`);
const options = {
  installation: "i1",
  release: "r1",
  image: `registry.example.org/seed-agent:1@sha256:${"a".repeat(64)}`,
};
const folder = mkdtempSync(join(tmpdir(), "manifests-"));
let program: string | undefined;
let reason = "";

beforeAll(async () => {
  try {
    program = await findKubernetesValidate();
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function validate(
  version: string,
  objects: readonly KubernetesObject[],
): Promise<{ code: number; output: string }> {
  const path = join(folder, `${version}.json`);
  writeFileSync(path, objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  return new Promise((resolve) => {
    execFile(program ?? "", ["--strict", "-k", version, path], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

const whole = onKubernetes({
  kubernetes: { namespace: "agents", image: options.image, storageClass: "fast-ssd" },
  env: { CLAUDE_DEFAULT_MODEL: "opus" },
});

test.for(versions)("fit Kubernetes %s", { timeout: 120_000 }, async (version, { skip }) => {
  if (program === undefined) return skip(`kubernetes-validate can't be installed: ${reason}`);
  const objects = manifests(whole, { ...options, secrets: seedSecrets });
  expect(await validate(version, objects)).toMatchObject({ code: 0 });
});

test("the schemas reject a misspelled field, so that the tests above can fail", { timeout: 120_000 }, async ({
  skip,
}) => {
  if (program === undefined) return skip(`kubernetes-validate can't be installed: ${reason}`);
  const wrong = manifests(whole, { ...options, secrets: seedSecrets }).map((object) =>
    object.kind === "StatefulSet"
      ? { ...object, spec: { ...(object["spec"] as object), podManagmentPolicy: "Parallel" } }
      : object,
  );
  expect(await validate("1.37", wrong)).toMatchObject({
    code: 1,
    output: expect.stringContaining("podManagmentPolicy"),
  });
});
