import Fastify from "fastify";
import { afterEach, expect, test } from "vitest";
import { authentication } from "../../../../components/seed-agent/program/cluster/authentication.ts";
import type { Discovered } from "../../../../components/seed-agent/program/cluster/discovery.ts";
import { type MembershipOptions, membership } from "../../../../components/seed-agent/program/cluster/membership.ts";
import { peerRoutes } from "../../../../components/seed-agent/program/cluster/peer-routes.ts";

const cookie = "correct horse battery staple";
let closing: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(closing.map((close) => close()));
  closing = [];
});

async function serve(node: string, its = cookie): Promise<string> {
  const app = Fastify();
  await app.register(peerRoutes(authentication({ node, cookie: its, version: () => "v3" })), { prefix: "/cluster" });
  await app.listen({ host: "127.0.0.1", port: 0 });
  closing.push(() => app.close());
  return app.listeningOrigin.replace("http://", "");
}

function start(found: Discovered | (() => Discovered), more: Partial<MembershipOptions> = {}) {
  const logged: string[] = [];
  const own: (string | undefined)[] = [];
  const member = membership({
    ...{ node: "a", cookie, version: () => "v3", pollMilliseconds: 20 },
    discovery: { discover: async () => (typeof found === "function" ? found() : found) },
    converge: { start() {}, async stop() {}, view: () => ({ nodes: [] }) },
    nameClaim: { start() {}, async stop() {}, problem: () => undefined },
    events: { log: (level, message) => void logged.push(`${level}: ${message}`) },
    onOwnAddress: (address) => void own.push(address),
    ...more,
  });
  closing.push(() => member.stop());
  member.start();
  return { member, logged, own };
}

test("lists peers that have the cookie, and others with their problem, and logs each only once", async () => {
  const [good, bad] = [await serve("b"), await serve("c", "another cookie, also long enough")];
  let peers = [good, bad];
  const { member, logged } = start(() => ({ peers }));
  await expect.poll(() => member.peers().length).toBe(2);
  expect(member.peers().find(({ address }) => address === good)).toEqual({ address: good, node: "b", version: "v3" });
  expect(member.peers().find(({ address }) => address === bad)?.problem).toBe("it refuses this node's cookie");
  peers = [good];
  await expect.poll(() => member.peers().length).toBe(1);
  expect(logged.filter((line) => line.includes(good))).toEqual([`info: found the node b at ${good}`]);
  expect(logged.filter((line) => line.includes(bad))).toHaveLength(1);
});

test("recognizes its own address, which is no peer", async () => {
  const probe = Fastify();
  let member: ReturnType<typeof start> | undefined;
  await probe.listen({ host: "127.0.0.1", port: 0 });
  const address = probe.listeningOrigin.replace("http://", "");
  await probe.close();
  member = start({ peers: [address] });
  if (member.member.authentication === undefined) throw new Error("no authentication");
  const app = Fastify();
  await app.register(peerRoutes(member.member.authentication), { prefix: "/cluster" });
  await app.listen({ host: "127.0.0.1", port: Number(address.split(":")[1]) });
  closing.push(() => app.close());
  await expect.poll(() => member?.own.at(-1)).toBe(address);
  expect(member.member.peers()).toEqual([]);
});

test("works alone without a DNS name, and reports a cookie that is too short", async () => {
  const alone = start({ peers: [] }, { discovery: undefined, cookie: undefined });
  expect(alone.member.authentication).toBeUndefined();
  expect(alone.member.problem()).toBeUndefined();
  expect(alone.member.size()).toBe(1);
  const unfit = start({ peers: ["127.0.0.1:1"] }, { cookie: "" });
  expect(unfit.member.problem()).toContain("RELEASE_COOKIE");
  expect(unfit.logged).toEqual([expect.stringContaining("error: RELEASE_COOKIE")]);
  expect(unfit.member.authentication).toBeUndefined();
});

test("continues after a discovery that failed", async () => {
  let looks = 0;
  const { logged } = start(() => {
    if (++looks === 1) throw new Error("no such resolver");
    return { peers: [], problem: "seed.internal has no address" };
  });
  await expect
    .poll(() => logged)
    .toEqual(["error: the search for peers: no such resolver", "warn: seed.internal has no address"]);
});
