import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { stopDaemon } from "../../components/host/supervision/supervise.ts";
import { daemonOf, localNode, nodesOf } from "../../components/seed-agent/local/node.ts";
import { localSeedAgents } from "../../components/seed-agent/local/provider.ts";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { freePort } from "../support/free-port.ts";
import { seedSpec } from "../support/seed-spec.ts";
import { describeSeedProvider, type SeedProviderLab } from "./seed-provider.ts";

async function open(): Promise<SeedProviderLab> {
  const root = mkdtempSync(join(tmpdir(), "seed-local-"));
  // No service manager of this account may supervise what a test starts.
  vi.stubEnv("CHANGELINGS_CACHE", cacheFolder());
  vi.stubEnv("HOME", root);
  const folder = join(root, "seed-agents");
  const options = { installation: "0123456789ab", folder };
  const provider = localSeedAgents({ main: "../test/support/local-node-stand-in" });
  const data = join(folder, "data", "sprout");
  const spec = seedSpec({ provider: "local", port: await portsFor(2) });
  return {
    ...{ provider, spec, options },
    kill: (node) =>
      stopDaemon(daemonOf(localNode(folder, "sprout", Number(node.split("-")[1])), { ...options, version: "" })),
    identities: async () =>
      Object.fromEntries(
        nodesOf(folder, "sprout").map(({ name, number, folder: own }) => [`${name}-${number}`, String(pidIn(own))]),
      ),
    data: async () => (existsSync(data) ? readdirSync(data).sort() : []),
    async traces() {
      const pids = nodesOf(folder, "sprout").map(({ folder: own }) => pidIn(own));
      const of = (pid: number, file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8");
      return Object.fromEntries(
        pids.flatMap((pid) => ["cmdline", "environ"].map((file) => [`${file} of ${pid}`, of(pid, file)] as const)),
      );
    },
    breakNext: async () => writeFileSync(join(folder, "broken"), "1.0.1-bbbbbbbbbbbb"),
    async end() {
      await provider.remove("sprout", { ...options, destroyData: true });
      vi.unstubAllEnvs();
      rmSync(root, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function pidIn(folder: string): number {
  return JSON.parse(readFileSync(join(folder, "daemon.json"), "utf8")).pid;
}

/** The first of ports in a row that are free now. */
async function portsFor(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const servers = Array.from({ length: count }, () => createServer());
    const opened = await Promise.allSettled(
      servers.map(
        (server, index) =>
          new Promise<void>((resolve, reject) => {
            server.once("error", reject).listen(first + index, "127.0.0.1", resolve);
          }),
      ),
    );
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    if (opened.every(({ status }) => status === "fulfilled")) return first;
  }
}

describeSeedProvider("processes of this machine", open);

test("a port that another program uses is an error with a remedy, and nothing is started", async () => {
  const folder = mkdtempSync(join(tmpdir(), "seed-local-"));
  const server = createServer((_, response) => response.end("{}"));
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const spec = seedSpec({ provider: "local", replicas: 1, port });
  const options = { installation: "0123456789ab", folder, spec };
  const deployed = localSeedAgents().deploy(spec, { ...options, release: "r", secrets: {} });
  await expect(deployed).rejects.toThrow(`another program uses the port ${port} of sprout-1; end it, or write another`);
  expect(readdirSync(folder)).toEqual([]);
  server.close();
  rmSync(folder, { recursive: true });
});
