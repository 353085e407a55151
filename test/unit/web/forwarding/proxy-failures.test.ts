import { describe, expect, it } from "vitest";
import type { Target } from "../../../../components/web/forwarding/program/agents.ts";
import { plainPage } from "../../../../components/web/forwarding/program/proxy/problem.ts";
import {
  agent,
  agentsAt,
  ask,
  type Echo,
  frontOf,
  kept,
  online,
  startEcho,
  startFront,
  startRawUpstream,
} from "../../../support/upstreams.ts";

const html = { headers: { Accept: "text/html,*/*" } };
const nowhere = { url: new URL("http://127.0.0.1:1") };

/** Agents that are at the one place at first, and at the next after they were asked again. */
function moving(...places: Target[]) {
  let asked = 0;
  const agents = agentsAt(() => places[Math.min(asked++, places.length - 1)]);
  return { agents, asked: () => asked };
}

describe("an agent that has moved", () => {
  it.each([
    ["GET", undefined],
    ["DELETE", undefined],
    ["POST", "body"],
  ])("is looked up again, and gets the %s", async (method, body) => {
    const upstream = await kept(startEcho());
    const { agents, asked } = moving(online(nowhere), online(upstream));
    const front = await kept(startFront(agents));
    const reply = await ask(front.url, { method }, body);
    const echo: Echo = JSON.parse(reply.body);
    expect([echo.method, echo.body]).toEqual([method, body ?? ""]);
    expect([asked(), agents.failedIds]).toEqual([2, [agent.id]]);
    expect(front.log).toEqual([]);
  });

  it("is looked up at most twice", async () => {
    const { agents, asked } = moving(online(nowhere));
    const front = await kept(startFront(agents));
    const reply = await ask(`${front.url}a?secret=1`);
    expect([reply.status, reply.headers["content-type"]]).toEqual([502, "text/plain; charset=utf-8"]);
    expect(reply.body).toBe("helper: nothing answers at its server's address (ECONNREFUSED).\n");
    expect([asked(), agents.failedIds]).toEqual([2, [agent.id, agent.id]]);
    expect(front.log).toEqual([
      "helper did not answer GET /a: nothing answers at its server's address (ECONNREFUSED) (502)",
    ]);
  });

  it("may be behind a tunnel that closes immediately", async () => {
    const tunnel = await kept(startRawUpstream((socket) => socket.end()));
    const upstream = await kept(startEcho());
    const { agents, asked } = moving(online(tunnel), online(upstream));
    const front = await kept(startFront(agents));
    expect((await ask(front.url)).status).toBe(200);
    expect([asked(), agents.failedIds]).toEqual([2, [agent.id]]);
  });

  it("gets no unsafe request twice", async () => {
    let seen = 0;
    const upstream = await kept(
      startRawUpstream((socket) =>
        socket.once("data", () => {
          seen += 1;
          socket.destroy();
        }),
      ),
    );
    const front = await frontOf(upstream);
    const reply = await ask(front.url, { method: "DELETE" });
    expect(reply).toMatchObject({ status: 502, body: "helper: its server closed the connection without an answer.\n" });
    expect(seen).toBe(1);
  });
});

it("retries on a new connection if a reused one breaks", async () => {
  let connections = 0;
  const upstream = await kept(
    startRawUpstream((socket) => {
      connections += 1;
      let requests = 0;
      socket.on("data", () => {
        requests += 1;
        if (requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        else socket.destroy();
      });
    }),
  );
  const agents = agentsAt(() => online(upstream));
  const front = await kept(startFront(agents));
  for (const _ of [1, 2]) expect((await ask(front.url)).body).toBe("ok");
  expect([connections, agents.failedIds, front.log]).toEqual([2, [], []]);
});

describe("the response to the client", () => {
  it.each([
    ["text/html,*/*", "text/html; charset=utf-8", expect.stringContaining("<h1>helper</h1>")],
    [
      "application/json",
      "application/json",
      `{"error":"bad-gateway","agent":"${agent.id}","name":"helper","reason":"nothing answers at its server's address (ECONNREFUSED)"}\n`,
    ],
    ["*/*", "text/plain; charset=utf-8", "helper: nothing answers at its server's address (ECONNREFUSED).\n"],
  ])("to Accept: %s", async (accept, type, body) => {
    const front = await frontOf(nowhere);
    const reply = await ask(front.url, { headers: { Accept: accept } });
    expect([reply.status, reply.headers["content-type"], reply.headers["cache-control"]]).toEqual([
      502,
      type,
      "no-store",
    ]);
    expect(reply.body).toEqual(body);
  });

  it("is the server's page, with its policy", async () => {
    const page = ({ kind, agent: { name }, reason }: { kind: string; agent: { name: string }; reason: string }) => ({
      html: `${kind} ${name} ${reason}`,
      contentSecurityPolicy: "default-src 'none'",
    });
    const front = await frontOf(nowhere, { page });
    const reply = await ask(front.url, html);
    expect(reply.body).toBe("bad-gateway helper nothing answers at its server's address (ECONNREFUSED)");
    expect(reply.headers["content-security-policy"]).toBe("default-src 'none'");
  });

  it("escapes names", async () => {
    const evil = { ...agent, name: "<script>" };
    const page = plainPage({ kind: "offline", agent: evil, reason: "a & b" });
    expect(page.html).toContain("<h1>&#60;script&#62;</h1><p>a &#38; b.</p>");
  });
});

describe("an agent that is not online", () => {
  const page = "<!doctype html><title>Mine</title>";
  it.each([
    ["/", 200, page],
    ["/?a", 200, page],
    ["/index.html", 200, page],
    ["/other", 503, expect.stringContaining("it was stopped.")],
  ])("shows its own page at %s: %i", async (path, status, body) => {
    const front = await kept(startFront(agentsAt(() => ({ kind: "offline", reason: "it was stopped", page }))));
    const reply = await ask(new URL(path, front.url), html);
    expect([reply.status, reply.body]).toEqual([status, body]);
    expect(reply.headers["cache-control"]).toBe("no-store");
  });

  it("shows it only to browsers, and only for reads", async () => {
    const front = await kept(startFront(agentsAt(() => ({ kind: "offline", reason: "it was stopped", page }))));
    expect((await ask(front.url)).status).toBe(503);
    expect((await ask(front.url, { ...html, method: "POST" })).status).toBe(503);
    expect(await ask(front.url, { ...html, method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });

  it.each(["offline", "starting"] as const)("says that it is %s when it has none", async (kind) => {
    const front = await kept(startFront(agentsAt(() => ({ kind, reason: "wait" }))));
    const reply = await ask(front.url, { headers: { Accept: "application/json" } });
    expect([reply.status, reply.headers["retry-after"], JSON.parse(reply.body).error]).toEqual([503, "5", kind]);
    expect(front.log).toEqual([]);
  });

  it("says that there is no such server", async () => {
    const front = await kept(startFront(agentsAt(() => undefined)));
    expect(await ask(front.url)).toMatchObject({ status: 404, body: "helper: it has registered no server.\n" });
  });

  it("says that it could not be looked up", async () => {
    const front = await kept(startFront(agentsAt(() => Promise.reject(new Error("no mngr")))));
    expect(await ask(front.url)).toMatchObject({
      status: 502,
      body: "helper: it could not be looked up: Error: no mngr.\n",
    });
  });
});
