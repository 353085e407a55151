import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dockerSeedAgents } from "../../components/seed-agent/docker/provider.ts";
import { type DockerStandIn, startDockerStandIn } from "../support/docker-stand-in.ts";
import { seedSpec } from "../support/seed-spec.ts";
import { describeSeedProvider, type SeedProviderLab } from "./seed-provider.ts";

interface Lab extends SeedProviderLab {
  readonly docker: DockerStandIn;
}

async function open(): Promise<Lab> {
  const root = mkdtempSync(join(tmpdir(), "seed-docker-"));
  const docker = await startDockerStandIn(root);
  const { world } = docker;
  const main = join(import.meta.dirname, "../support/stand-in-service.ts");
  const nameOf = (node: string) => `/changelings-seed-lab-${node}`;
  return {
    docker,
    provider: dockerSeedAgents({ env: docker.env, main, healthSeconds: 0, pollMilliseconds: 1 }),
    spec: seedSpec(),
    options: { installation: "lab", folder: join(root, "folder") },
    async kill(node) {
      const found = world.containers.find(({ Name }) => Name === nameOf(node));
      expect(found, node).toBeDefined();
      if (found !== undefined) found.State = { Running: false, Restarting: false, ExitCode: 137 };
    },
    identities: async () =>
      Object.fromEntries(
        world.containers.map(({ Id, Name, startedAt }) => [Name.replace(nameOf(""), ""), `${Id} ${startedAt}`]),
      ),
    data: async () =>
      Object.keys(world.volumes)
        .filter((name) => name.endsWith("-data"))
        .sort(),
    traces: async () => ({ calls: JSON.stringify(docker.calls), docker: JSON.stringify(world) }),
    async breakNext() {
      world.breaksNext = true;
    },
    async end() {
      docker.end();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

describeSeedProvider("docker", open);

test("finishes a deployment that was killed between two containers", async () => {
  const lab = await open();
  const secrets = { DATABASE_URL: "postgres://database/seed", RELEASE_COOKIE: "cookie" };
  const deploy = () => lab.provider.deploy(lab.spec, { ...lab.options, release: "1.0.0-a", secrets, spec: lab.spec });
  await deploy();
  const before = await lab.identities();
  // Killed after the rename and the stop, before the new container was made.
  const [first] = lab.docker.world.containers;
  Object.assign(first ?? {}, {
    Name: `${first?.Name}-former`,
    State: { Running: false, Restarting: false, ExitCode: 0 },
  });
  await deploy();
  const after = await lab.identities();
  expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
  expect(after["sprout-1"]).toBe(before["sprout-1"]);
  await lab.end();
});

test("removes its own unused images, and none that another agent has just built", async () => {
  const lab = await open();
  const { world } = lab.docker;
  const [others, own] = ["lab-sapling-0.1.0-aaaaaaaaaaaa", "lab-sprout-0.1.0-bbbbbbbbbbbb"].map(
    (tag) => `changelings-seed:${tag}`,
  );
  const secrets = { DATABASE_URL: "postgres://database/seed" };
  world.images.push(others ?? "", own ?? "", "changelings-seed:lab-sprout-1-0.1.0-cccccccccccc");
  await lab.provider.deploy(lab.spec, { ...lab.options, release: "1.0.0-a", secrets });
  expect(world.images).toContain(others);
  expect(world.images).toContain("changelings-seed:lab-sprout-1-0.1.0-cccccccccccc");
  expect(world.images).not.toContain(own);
  await lab.provider.remove(lab.spec.name, { ...lab.options, destroyData: true });
  expect(world.images).toEqual([others, "changelings-seed:lab-sprout-1-0.1.0-cccccccccccc"]);
  await lab.end();
});

test("reads the live state by two requests, whatever the number of nodes", async () => {
  const lab = await open();
  const secrets = { DATABASE_URL: "postgres://database/seed" };
  await lab.provider.deploy({ ...lab.spec, replicas: 5 }, { ...lab.options, release: "1.0.0-a", secrets });
  const before = lab.docker.calls.length;
  await lab.provider.observe(lab.spec.name, lab.options);
  expect(lab.docker.calls.length - before).toBe(2);
  await lab.end();
});

test("rejects several nodes without a shared database, before it changes anything", async () => {
  const lab = await open();
  const deployed = lab.provider.deploy(lab.spec, { ...lab.options, release: "1.0.0-a", secrets: {} });
  await expect(deployed).rejects.toThrow('add "DATABASE_URL" to its secrets, or write replicas = 1');
  expect(lab.docker.calls).toEqual([]);
  await lab.end();
});

test("reports a wrong mirror before it changes anything", async () => {
  const lab = await open();
  const env = { ...lab.docker.env, CHANGELINGS_IMAGE_NPM: "https://me:pa55@npm.example.com/" };
  const deployed = dockerSeedAgents({ env }).deploy(lab.spec, {
    ...{ ...lab.options, release: "1.0.0-a", secrets: { DATABASE_URL: "postgres://database/seed" } },
  });
  await expect(deployed).rejects.toThrow("CHANGELINGS_IMAGE_NPM: must not contain credentials");
  expect(lab.docker.calls).toEqual([]);
  await lab.end();
});
