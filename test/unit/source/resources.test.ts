import { homedir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { nothingOnModal } from "../../../components/modal/observe.ts";
import { repoSnapshot } from "../../../components/source/repo-snapshot.ts";
import { type RepoTarballArgs, repoTarball } from "../../../components/source/repo-tarball.ts";
import type { ModalHome } from "../../../components/stack/modal-home.ts";

const registered = new Map<string, Record<string, unknown>>();

beforeAll(async () => {
  await pulumi.runtime.setMocks(
    {
      newResource({ name, type, inputs }) {
        if (registered.has(name)) throw new Error(`${name} is registered twice`);
        registered.set(name, { type, ...inputs });
        return { id: `${name}-id`, state: inputs };
      },
      call({ token }) {
        if (token !== "pulumi:pulumi:readStackResourceOutputs") throw new Error(`${token} is called`);
        return { outputs: {} };
      },
    },
    "changelings",
    "dev",
    false,
    "organization",
  );
});

/** What is in a resource's inputs, secrets as the engine sees them. */
async function inputsOf(resource: pulumi.Resource, name: string) {
  await new Promise((resolve) => pulumi.output(resource.urn).apply(resolve));
  return registered.get(name);
}

const commit = "a".repeat(40);
const tarball = (changes: Partial<RepoTarballArgs> = {}): RepoTarballArgs => ({
  repo: join(homedir(), "src", "App"),
  branch: "main",
  origin: "https://github.com/me/app.git",
  commit,
  subject: "Fix it",
  historyDepth: 1,
  ...changes,
});

test("changelings that need the same tarball share one resource, which has none of this machine's paths", async () => {
  const made = repoTarball(tarball());
  expect(repoTarball(tarball())).toBe(made);
  const inputs = await inputsOf(made, "tarball-app-6bfc40");
  expect(inputs).toMatchObject({
    type: "command:local:Command",
    create: "exec node scripts/command.ts repo-tarball apply",
    update: "exec node scripts/command.ts repo-tarball apply",
    delete: "exec node scripts/command.ts repo-tarball remove",
    environment: {
      REPO: "~/src/App",
      BRANCH: "main",
      COMMIT: commit,
      LAST_COMMIT: "Fix it",
      HISTORY_DEPTH: "1",
      ORIGIN: "https://github.com/me/app.git",
      DRIFT: "",
    },
  });
  const others = [{ branch: "next" }, { historyDepth: 2 }, { repo: "https://github.com/me/app.git" }];
  const all = new Set([made, ...others.map((change) => repoTarball(tarball(change)))]);
  expect(all.size).toBe(4);
});

test("a snapshot is one resource for all that need the same, and says how old it may get", async () => {
  const home = Object.assign(new pulumi.ComponentResource("test:Home", "home"), {
    environment: pulumi.output("mngr-u1"),
    userId: pulumi.output("u1"),
    prefix: pulumi.output("mngr-"),
  }) as unknown as ModalHome;
  const need = {
    repo: "https://github.com/me/app.git",
    branch: "main",
    template: undefined,
    buildArgs: ["cpu=2"],
    maxAgeSeconds: 7 * 86_400,
  };
  const made = repoSnapshot({ need, stack: "dev", home, observed: nothingOnModal });
  expect(repoSnapshot({ need, stack: "dev", home, observed: nothingOnModal })).toBe(made);
  const inputs = await inputsOf(made.command, `snapshot-app-${made.label.slice(0, 6)}`);
  expect(inputs).toMatchObject({
    create: "exec node scripts/command.ts repo-snapshot apply",
    environment: {
      STACK: "dev",
      MODAL_ENVIRONMENT: "mngr-u1",
      MNGR_USER_ID: "u1",
      MNGR_PREFIX: "mngr-",
      REPO: "https://github.com/me/app.git",
      BRANCH: "main",
      BUILD_ARGS: '["cpu=2"]',
      SNAPSHOT_MAX_AGE: "7d",
      DRIFT: "",
    },
  });
  expect(repoSnapshot({ need: { ...need, branch: "next" }, stack: "dev", home, observed: undefined })).not.toBe(made);
});
