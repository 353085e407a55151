import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import Fastify from "fastify";
import { afterEach, expect, test } from "vitest";
import {
  type Answer,
  type Authentication,
  type AuthenticationOptions,
  authentication,
  cookieProblem,
  maxBytes,
  singleUseNonces,
} from "../../../../components/seed-agent/program/cluster/authentication.ts";
import { peerRoutes } from "../../../../components/seed-agent/program/cluster/peer-routes.ts";

const cookie = "correct horse battery staple";
let closing: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(closing.map((close) => close()));
  closing = [];
});

function node(id: string, more: Partial<AuthenticationOptions> = {}): Authentication {
  return authentication({ node: id, cookie, version: () => "v7", timeoutMilliseconds: 2000, ...more });
}

/** Serves the two routes. @returns `host:port` */
async function serve(of: Authentication): Promise<string> {
  const app = Fastify();
  await app.register(peerRoutes(of), { prefix: "/cluster" });
  await app.listen({ host: "127.0.0.1", port: 0 });
  closing.push(() => app.close());
  return app.listeningOrigin.replace("http://", "");
}

/** A hostile or foreign service. */
async function serveWith(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => answer(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`;
}

async function post(address: string, body: unknown): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://${address}/cluster/hello`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const send = (response: ServerResponse, { status, body }: Answer) => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};

test("two nodes with the same cookie accept each other, and a node recognizes itself", async () => {
  const [a, b] = [node("a"), node("b")];
  const address = await serve(b);
  expect(await a.greet(address)).toEqual({ outcome: "peer", node: "b", version: "v7" });
  expect(await b.greet(address)).toEqual({ outcome: "itself" });
});

test("distinguishes another node with its own id from itself", async () => {
  const address = await serve(node("a"));
  expect(await node("a").greet(address)).toMatchObject({
    outcome: "problem",
    reason: expect.stringMatching(/set SEED_NODE/),
  });
});

test("rejects another cookie, on both sides", async () => {
  const b = node("b", { cookie: "another cookie, also long enough" });
  const address = await serve(b);
  expect(await node("a").greet(address)).toMatchObject({ outcome: "problem", reason: "it refuses this node's cookie" });
  // A server that lets everybody in, without the cookie itself.
  const open = await serveWith((request, response, body) => {
    if (request.url === "/cluster/challenge") return send(response, b.answerChallenge());
    const { challenge } = JSON.parse(body) as { challenge: string };
    send(response, { status: 200, body: { node: "b", version: "v7", proof: challenge.padEnd(43, "A").slice(0, 43) } });
  });
  expect(await node("a").greet(open)).toMatchObject({ outcome: "problem", reason: "it has another cookie" });
});

test.each(["", "   ", "short", " ".repeat(40)])("rejects the cookie %j", (given) => {
  expect(cookieProblem(given)).toMatch(/RELEASE_COOKIE/);
  expect(() => node("a", { cookie: given })).toThrow(/RELEASE_COOKIE/);
});

test("never sends the cookie, or a proof that works for another node or purpose", async () => {
  const b = node("b");
  const seen: string[] = [];
  const address = await serveWith((request, response, body) => {
    seen.push(body, JSON.stringify(request.headers));
    const answer = request.url === "/cluster/challenge" ? b.answerChallenge() : b.answerHello(JSON.parse(body));
    seen.push(JSON.stringify(answer));
    send(response, answer);
  });
  expect(await node("a").greet(address)).toMatchObject({ outcome: "peer" });
  expect(seen.join("\n")).not.toContain(cookie);
  expect(new Set(seen.join("\n").match(/(?<="proof":")[^"]+/g)).size).toBe(2);
});

/** Records the hello of a successful greeting of `b` by `a`. */
async function recordedHello(b: Authentication) {
  let hello: unknown;
  const address = await serveWith((request, response, body) => {
    if (request.url === "/cluster/hello") hello = JSON.parse(body);
    send(response, request.url === "/cluster/hello" ? b.answerHello(hello) : b.answerChallenge());
  });
  expect(await node("a").greet(address)).toMatchObject({ outcome: "peer" });
  return hello as Record<string, string>;
}

test("rejects a recorded hello that is sent again, to the same or to another node", async () => {
  const b = node("b");
  const hello = await recordedHello(b);
  expect(b.answerHello(hello).status).toBe(403);
  expect(node("b").answerHello(hello).status).toBe(403);
  expect(node("c").answerHello(hello).status).toBe(403);
  expect(node("c").answerHello({ ...hello, to: "c" }).status).toBe(403);
  // With a new nonce the proof no longer fits.
  expect(b.answerHello({ ...hello, nonce: b.answerChallenge().body["nonce"] }).status).toBe(403);
});

test.each(["node", "to", "nonce", "challenge", "proof"])("binds the proof to %s", async (field) => {
  const b = node("b");
  let status: number | undefined;
  const address = await serveWith((request, response, body) => {
    if (request.url === "/cluster/challenge") return send(response, b.answerChallenge());
    const hello = JSON.parse(body) as Record<string, string>;
    const text = hello[field] ?? "";
    const answer = b.answerHello({ ...hello, [field]: `${text.at(0) === "x" ? "y" : "x"}${text.slice(1)}` });
    status = answer.status;
    send(response, answer);
  });
  expect(await node("a").greet(address)).toMatchObject({ outcome: "problem" });
  expect(status).toBe(403);
});

test("rejects its own messages", async () => {
  const a = node("a");
  const own = await serve(a);
  // Says that it is b, and lets a itself answer.
  const reflecting = await serveWith(async (request, response, body) => {
    if (request.url === "/cluster/challenge") {
      const answer = a.answerChallenge();
      return send(response, { ...answer, body: { ...answer.body, node: "b", instance: "other" } });
    }
    const hello = JSON.parse(body) as Record<string, string>;
    const reflected = await post(own, hello);
    expect(reflected.status).toBe(403);
    const swapped = await post(own, { ...hello, node: hello["to"], to: hello["node"] });
    expect(swapped.status).toBe(403);
    send(response, { status: 200, body: { node: "b", version: "v7", proof: hello["proof"] ?? "" } });
  });
  expect(await a.greet(reflecting)).toMatchObject({ outcome: "problem", reason: "it has another cookie" });
});

test("a man in the middle gains only that the node is listed at the wrong address", async () => {
  const b = node("b");
  const relaying = await serveWith((request, response, body) => {
    send(response, request.url === "/cluster/challenge" ? b.answerChallenge() : b.answerHello(JSON.parse(body)));
  });
  expect(await node("a").greet(relaying)).toEqual({ outcome: "peer", node: "b", version: "v7" });
  const forging = await serveWith((request, response, body) => {
    if (request.url === "/cluster/challenge") return send(response, b.answerChallenge());
    const answer = b.answerHello(JSON.parse(body));
    send(response, { ...answer, body: { ...answer.body, version: "v9" } });
  });
  expect(await node("a").greet(forging)).toMatchObject({ outcome: "problem", reason: "it has another cookie" });
  const renaming = await serveWith((request, response, body) => {
    const answer = request.url === "/cluster/challenge" ? b.answerChallenge() : b.answerHello(JSON.parse(body));
    send(response, { ...answer, body: { ...answer.body, node: "c" } });
  });
  expect(await node("a").greet(renaming)).toMatchObject({ outcome: "problem" });
});

test("a nonce is valid once, and for a short time by a clock that only moves forward", () => {
  let now = 1000;
  const nonces = singleUseNonces(10_000, () => now);
  const [first, second] = [nonces.issue(), nonces.issue()];
  expect(nonces.use(first)).toBe(true);
  expect(nonces.use(first)).toBe(false);
  now += 10_000;
  expect(nonces.use(second)).toBe(false);
  const later = nonces.issue();
  expect(nonces.use(later)).toBe(true);
  expect(nonces.size()).toBe(1);
});

test("nonces of strangers take no memory, and are rejected if they were altered", () => {
  const nonces = singleUseNonces(10_000, () => 0);
  for (let index = 0; index < 10_000; index++) nonces.issue();
  expect(nonces.size()).toBe(0);
  const nonce = nonces.issue();
  for (let index = 0; index < nonce.length; index++) {
    const other = nonce[index] === "A" ? "B" : "A";
    const altered = `${nonce.slice(0, index)}${other}${nonce.slice(index + 1)}`;
    if (altered !== nonce) expect(nonces.use(altered), `altered at ${index}`).toBe(false);
  }
  expect(nonces.use(singleUseNonces(10_000, () => 0).issue())).toBe(false);
  expect(nonces.use(nonce)).toBe(true);
});

test("a wrong proof does not spend the nonce of another", async () => {
  const b = node("b");
  const address = await serveWith((request, response, body) => {
    if (request.url === "/cluster/challenge") return send(response, b.answerChallenge());
    const hello = JSON.parse(body) as Record<string, string>;
    expect(b.answerHello({ ...hello, proof: "A".repeat(43) }).status).toBe(403);
    send(response, b.answerHello(hello));
  });
  expect(await node("a").greet(address)).toMatchObject({ outcome: "peer" });
});

test.each([
  undefined,
  null,
  "hello",
  [],
  {},
  { node: "a", to: "b" },
  { node: "a".repeat(1000), to: "b", nonce: "x".repeat(20), challenge: "x".repeat(20), proof: "A".repeat(43) },
  { node: "a", to: "b", nonce: { $gt: "" }, challenge: "x".repeat(20), proof: "A".repeat(43) },
  { node: "../a", to: "b", nonce: "x".repeat(20), challenge: "x".repeat(20), proof: "A".repeat(43) },
])("refuses a hello that is none: %j", (body) => {
  expect(node("b").answerHello(body).status).toBe(400);
});

test("rejects a huge hello before it is read", async () => {
  const address = await serve(node("b"));
  expect((await post(address, { node: "a".repeat(maxBytes) })).status).toBe(413);
});

test.each([
  ["answers with another page", (_request, response) => response.end("<html>it works</html>"), /not in JSON/],
  ["does not have the path", (_request, response) => response.writeHead(404).end("{}"), /it answers 404/],
  ["answers with other JSON", (_request, response) => response.end('{"ok":true}'), /its challenge is not valid/],
  ["answers endlessly", (_request, response) => endless(response), /too long/],
  ["redirects", (_request, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end("{}"), /302/],
] as [string, (request: IncomingMessage, response: ServerResponse) => void, RegExp][])(
  "does not count a service that %s",
  async (_name, answer, reason) => {
    const address = await serveWith(answer);
    expect(await node("a").greet(address)).toEqual({ outcome: "problem", reason: expect.stringMatching(reason) });
  },
);

function endless(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(`"${"x".repeat(1000)}",`));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

test.each([
  ["never answers", () => {}],
  [
    "sends a byte at a time",
    (_request, response) => {
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    },
  ],
] as [string, (request: IncomingMessage, response: ServerResponse) => void][])(
  "gives up on a peer that %s",
  async (_name, answer) => {
    const address = await serveWith(answer);
    const greeted = await node("a", { timeoutMilliseconds: 200 }).greet(address);
    expect(greeted).toEqual({ outcome: "problem", reason: "no answer within 0.2 s" });
  },
);

test("reports an address where nothing listens, or no HTTP server", async () => {
  const server = createTcpServer(
    (socket) =>
      void socket
        .on("error", () => {})
        .resume()
        .end("220 mail.example ESMTP\r\n"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  expect(await node("a").greet(`127.0.0.1:${port}`)).toMatchObject({ outcome: "problem" });
  await new Promise((resolve) => server.close(resolve));
  expect(await node("a").greet(`127.0.0.1:${port}`)).toMatchObject({
    outcome: "problem",
    reason: expect.stringMatching(/ECONNREFUSED/),
  });
});
