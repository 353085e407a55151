import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerSandboxes } from "../../components/sandbox/docker/provider.ts";
import { contentCommands } from "../../components/sandbox/image/image.ts";
import { SandboxError, type SandboxProvider } from "../../components/sandbox/provider.ts";
import { describeProvider } from "../contracts/sandbox-provider.ts";
import { testRepository } from "../contracts/sandbox-repository.ts";
import { type DockerEngine, dockerEngine } from "../support/docker-engine.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

/** No registry is reachable, so the image is the tests' base with a Node, and what the real image has without a network. */

let engine: DockerEngine;
let dockerfile: string;
const mark = `sandboxes${process.pid}`;
const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
const open = (): SandboxProvider =>
  dockerSandboxes({ installation: mark, sandboxes, env: { ...process.env, ...engine.env }, dockerfile });

beforeAll(async () => {
  engine = await dockerEngine();
  const base = `${mark}-base`;
  const container = await engine.docker("create", engine.baseImage, "sh");
  await engine.docker("cp", process.execPath, `${container}:/usr/local/bin/node`);
  await engine.docker("commit", container, base);
  await engine.docker("rm", container);
  dockerfile = ["FROM ".concat(base), ...contentCommands()].join("\n");
});
afterAll(async () => {
  await engine?.end(mark);
  rmSync(sandboxes, { recursive: true, force: true });
});

const spec = sandboxSpec({ provider: "docker", memoryGb: 0.5, cpu: 1 });
describeProvider("docker", async () => ({ provider: open(), spec, reopened: open, end: async () => {} }));
testRepository({
  open: async (port) => ({ provider: open(), spec: { provider: "docker", allowDomains: [`127.0.0.1:${port}`] } }),
});

test("a failing build reports the end of its log, without the text of the failed command", async () => {
  const long = "x".repeat(30_000);
  const broken = [dockerfile, `RUN echo before; : ${long}; echo wrong >&2; exit 7`].join("\n");
  const lines: string[] = [];
  const failing = dockerSandboxes({
    ...{ installation: mark, sandboxes, env: { ...process.env, ...engine.env }, dockerfile: broken },
  }).prepareImage({ onProgress: (line) => lines.push(line) });
  const error = await failing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SandboxError);
  expect(String(error)).toMatch(/image: docker build failed: [\s\S]*wrong/);
  expect(String(error).length).toBeLessThan(10_000);
  expect(lines.some((line) => line.includes("before"))).toBe(true);
});

describe("a container", () => {
  const server = createServer((incoming, outgoing) => outgoing.end(`${incoming.url} of this machine`));
  let port = 0;
  let image: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
    image = await open().prepareImage({});
  });
  afterAll(() => server.close());
  const create = (id: string, allowDomains?: string[]) =>
    open().create({
      id: `${mark}-${id}`,
      spec: sandboxSpec({ provider: "docker", ...(allowDomains && { allowDomains }) }),
      image,
      volumes: {},
      labels: {},
    });
  const get = `curl -s --max-time 10`;

  test("reaches what is allowed, and nothing else", async () => {
    const some = await create("some", [`127.0.0.1:${port}`]);
    const sh = async (script: string) => (await some.exec(["sh", "-c", script], { timeoutSeconds: 60 })).stdout;
    for (const how of ["", "--noproxy ''", "--noproxy '' -p"]) {
      expect(await sh(`${get} ${how} http://127.0.0.1:${port}/a`), how).toBe("/a of this machine");
    }
    expect(await sh(`${get} http://example.org/`)).toContain("not allowed in this sandbox");
    expect((await sh("tail -n +3 /proc/net/dev | cut -d: -f1")).trim()).toBe("lo");
    await some.terminate();
    for (const [id, allow] of [
      ["none", []],
      ["public", undefined],
    ] as const) {
      const other = await create(id, allow && [...allow]);
      const { stdout } = await other.exec(["sh", "-c", `${get} --noproxy '' http://127.0.0.1:${port}/a`], {
        timeoutSeconds: 60,
      });
      expect(stdout, id).not.toContain("of this machine");
      await other.terminate();
    }
  });

  test("has a network again after a program has ended the forwarder", async () => {
    const sandbox = await create("forwarder", [`127.0.0.1:${port}`]);
    const reached = async () =>
      (await sandbox.exec(["sh", "-c", `${get} http://127.0.0.1:${port}/a`], { timeoutSeconds: 60 })).stdout;
    expect(await reached()).toBe("/a of this machine");
    const killNode = `for each in /proc/[0-9]*; do
      test "$(tr '\\0' '\\n' 2>/dev/null <$each/cmdline | head -n 1)" = node && kill -9 "\${each#/proc/}" && echo killed
    done; true`;
    expect((await sandbox.exec(["sh", "-c", killNode], { timeoutSeconds: 60 })).stdout).toBe("killed\n");
    await expect.poll(reached).toBe("/a of this machine");
    await sandbox.terminate();
  });

  test("has no capabilities, and can't get any", async () => {
    const sandbox = await create("caps", []);
    const { stdout } = await sandbox.exec(["sh", "-c", "grep -E '^(Cap|NoNewPrivs)' /proc/self/status"], {
      timeoutSeconds: 60,
    });
    expect(stdout.match(/^Cap\w+:\t0+$/gm)).toHaveLength(5);
    expect(stdout).toMatch(/^NoNewPrivs:\t1$/m);
    await sandbox.terminate();
  });

  test("of another installation is neither listed nor opened", async () => {
    const sandbox = await create("mine", []);
    const other = dockerSandboxes({
      installation: "other",
      sandboxes,
      env: { ...process.env, ...engine.env },
      dockerfile,
    });
    expect(await other.open(sandbox.id)).toBeUndefined();
    expect(await other.list({})).toEqual([]);
    await sandbox.terminate();
  });

  test("restored from a snapshot does not have the labels of the one before", async () => {
    const provider = open();
    const options = { spec: sandboxSpec({ allowDomains: [] }), image, volumes: {} };
    const first = await provider.create({ ...options, id: `${mark}-l1`, labels: { session: "first" } });
    const snapshot = await first.snapshot();
    await first.terminate();
    const second = await provider.create({ ...options, id: `${mark}-l2`, snapshot, labels: { other: "second" } });
    expect(await provider.list({ session: "first" })).toEqual([]);
    expect((await provider.list({ other: "second" })).map(({ labels }) => labels)).toEqual([{ other: "second" }]);
    await second.terminate();
    await provider.removeSnapshot(snapshot);
  });
});
