import { expect, test } from "vitest";
import { type DiscoveryOptions, discovery } from "../../../../components/seed-agent/program/cluster/discovery.ts";

type Answer = readonly string[] | string;

/** A resolver that answers with addresses, or fails with a code; answers can be exchanged. */
function dns(answers: { A: Answer; AAAA: Answer }) {
  const answer = async (what: Answer) => {
    if (typeof what === "string") throw Object.assign(new Error(what), { code: what });
    return [...what];
  };
  return { resolve4: () => answer(answers.A), resolve6: () => answer(answers.AAAA) };
}

function discover(answers: { A: Answer; AAAA: Answer }, more: Partial<DiscoveryOptions> = {}) {
  const options = { query: "seed.internal", port: 4000, host: "::", resolver: dns(answers), ownAddresses: () => [] };
  return discovery({ ...options, ...more });
}

test("finds other nodes by A and AAAA records, with IPv6 in brackets, and recognizes its own address", async () => {
  const answers = { A: ["10.0.0.2", "10.0.0.1"], AAAA: ["fdaa:0:1::3", "fdaa:0:1::2"] };
  const found = await discover(answers, { ownAddresses: () => ["127.0.0.1", "10.0.0.1", "fdaa:0:1::2"] }).discover();
  expect(found).toEqual({ peers: ["10.0.0.2:4000", "[fdaa:0:1::3]:4000"], own: "10.0.0.1:4000" });
});

test("accepts a name that has only A or only AAAA records", async () => {
  expect(await discover({ A: "ENODATA", AAAA: ["fdaa::1"] }).discover()).toEqual({ peers: ["[fdaa::1]:4000"] });
});

test("reports a name without addresses", async () => {
  const found = await discover({ A: "ENOTFOUND", AAAA: "ENOTFOUND" }).discover();
  expect(found).toEqual({ peers: [], problem: "seed.internal has no address" });
});

test("keeps the last known addresses while DNS does not answer, but not forever", async () => {
  const answers: { A: Answer; AAAA: Answer } = { A: ["10.0.0.1"], AAAA: "ENODATA" };
  const problem = "seed.internal can't be resolved (A: ESERVFAIL)";
  const patient = discover(answers);
  const impatient = discover(answers, { keepMilliseconds: 0 });
  await Promise.all([patient.discover(), impatient.discover()]);
  answers.A = "ESERVFAIL";
  expect(await patient.discover()).toEqual({ peers: ["10.0.0.1:4000"], problem });
  expect(await impatient.discover()).toEqual({ peers: [], problem });
  // "There are none" is an answer.
  answers.A = "ENODATA";
  expect(await patient.discover()).toMatchObject({ peers: [] });
});

test.each([
  ["loopback", "127.0.0.1"],
  ["loopback", "127.9.9.9"],
  ["loopback", "::1"],
  ["mapped loopback", "::ffff:127.0.0.1"],
  ["mapped loopback in hex", "::ffff:7f00:1"],
  ["no host", "0.0.0.0"],
  ["no host", "::"],
  ["a cloud's metadata service", "169.254.169.254"],
  ["the mapped metadata service", "::ffff:169.254.169.254"],
  ["the local link", "fe80::1"],
  ["multicast", "224.0.0.1"],
  ["multicast", "ff02::1"],
  ["broadcast", "255.255.255.255"],
])("never calls %s: %s", async (_what, address) => {
  const answers = address.includes(":")
    ? { A: [], AAAA: [address, "fdaa::1"] }
    : { A: [address, "10.0.0.1"], AAAA: [] };
  const found = await discover(answers).discover();
  expect(found.peers).toEqual([address.includes(":") ? "[fdaa::1]:4000" : "10.0.0.1:4000"]);
  expect(found.problem).toContain(address);
});

test("accepts loopback addresses if it binds one itself, but no other rejected addresses", async () => {
  const found = await discover(
    { A: ["127.0.0.2", "127.0.0.3", "169.254.169.254"], AAAA: [] },
    { host: "127.0.0.2" },
  ).discover();
  expect(found).toMatchObject({ peers: ["127.0.0.3:4000"], own: "127.0.0.2:4000" });
});

test("ignores answers that are no addresses, and more than a hundred addresses", async () => {
  const many = Array.from({ length: 150 }, (_, index) => `10.0.1.${index}`);
  const found = await discover({ A: [...many, "evil.example", "10.0.0.1:80/path"], AAAA: [] }).discover();
  expect(found.peers).toHaveLength(100);
  expect(found.peers.every((peer) => /^10\.0\.1\.\d+:4000$/.test(peer))).toBe(true);
  expect(found.problem).toContain("150 addresses");
});
