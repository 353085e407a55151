import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { orphansFrom } from "../../../../components/web/forwarding/program/proxy/path-assets.ts";
import {
  pageScript,
  pageScriptHash,
  workerPrelude,
  workerScript,
} from "../../../../components/web/forwarding/program/proxy/path-scripts.ts";
import {
  agent,
  agentsAt,
  ask,
  type Front,
  frontOf,
  kept,
  startFront,
  startUpstream,
} from "../../../support/upstreams.ts";

const prefix = `/${agent.id}`;
const element = `<script>${pageScript(prefix)}</script>`;
const page = "<!doctype html><html><head><title>a</title></head><body>b</body></html>";
const rewritten = `<!doctype html><html><head>${element}<title>a</title></head><body>b</body></html>`;
const navigation = { headers: { "Sec-Fetch-Dest": "document", Accept: "text/html", "Accept-Encoding": "gzip" } };

/** A front with a prefix, before an agent that says one thing; and what it was asked for. */
async function saying(headers: Record<string, string>, body: string | Buffer, status = 200) {
  const asked: (string | undefined)[] = [];
  const upstream = await kept(
    startUpstream((req, res) => {
      asked.push(String(req.headers["accept-encoding"]));
      res.writeHead(status, { "Content-Length": Buffer.byteLength(body), ...headers }).end(body);
    }),
  );
  const front: Front = await frontOf(upstream, { prefix });
  return { url: `${front.url.origin}${prefix}/`, asked };
}

const html = { "Content-Type": "text/html; charset=utf-8" };
const script = { "Content-Type": "text/javascript" };

describe("a page where agents share an origin", () => {
  it("gets the script at the start of its head, and no length", async () => {
    const { url, asked } = await saying({ ...html, "Accept-Ranges": "bytes", ETag: '"1"' }, page);
    const reply = await ask(url, navigation);
    expect(reply.body).toBe(rewritten);
    expect(Object.keys(reply.headers).sort()).toEqual(
      ["connection", "content-type", "date", "transfer-encoding", "vary"].sort(),
    );
    expect(reply.headers.vary).toBe("Sec-Fetch-Dest");
    expect(asked).toEqual(["identity"]);
  });

  it("gets it also for errors, frames and clients without Sec-Fetch-Dest", async () => {
    const { url } = await saying(html, page, 404);
    expect((await ask(url, { headers: { "Sec-Fetch-Dest": "iframe" } })).body).toBe(rewritten);
    expect((await ask(url, { headers: { Accept: "text/html" } })).body).toBe(rewritten);
  });

  it("allows the script in the agent's own policy", async () => {
    const { url } = await saying({ ...html, "Content-Security-Policy": "script-src 'self'; img-src *" }, page);
    const { headers } = await ask(url, navigation);
    expect(headers["content-security-policy"]).toBe(`script-src 'self' '${pageScriptHash(prefix)}'; img-src *`);
  });

  it.each([
    ["a part of a page, asked for by a script", html, page, { "Sec-Fetch-Dest": "empty", Accept: "text/html" }],
    ["an image", { "Content-Type": "image/png" }, "png", navigation.headers],
    ["text", { "Content-Type": "text/plain" }, page, navigation.headers],
    ["two bytes a character", { "Content-Type": "text/html; charset=UTF-16LE" }, page, navigation.headers],
  ])("is unchanged if it is %s", async (_what, headers, body, asking) => {
    const { url } = await saying(headers, body);
    const reply = await ask(url, { headers: asking });
    expect([reply.body, reply.headers["content-length"]]).toEqual([body, String(body.length)]);
  });

  it("is unchanged if it is compressed anyway", async () => {
    const body = gzipSync(page);
    const { url } = await saying({ ...html, "Content-Encoding": "gzip" }, body);
    expect((await ask(url, navigation)).headers["content-length"]).toBe(String(body.length));
  });

  it("is unchanged in host routing", async () => {
    const upstream = await kept(startUpstream((_req, res) => res.writeHead(200, html).end(page)));
    const front = await frontOf(upstream);
    expect((await ask(front.url, navigation)).body).toBe(page);
  });

  it("has its length if there is no body", async () => {
    const { url } = await saying(html, page);
    const reply = await ask(url, { ...navigation, method: "HEAD" });
    expect([reply.body, reply.headers["content-length"]]).toEqual(["", String(page.length)]);
  });

  it("is streamed", async () => {
    const go = Promise.withResolvers<void>();
    const upstream = await kept(
      startUpstream(async (_req, res) => {
        res.writeHead(200, html).write("<head><title>a");
        await go.promise;
        res.end("</title>");
      }),
    );
    const front = await frontOf(upstream, { prefix });
    const response = await fetch(`${front.url.origin}${prefix}/`, { headers: { Accept: "text/html" } });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain(element);
    go.resolve();
    let rest = "";
    for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) rest += part.value;
    expect(rest.endsWith("</title>")).toBe(true);
  });

  it("gets it also as the page of an offline agent", async () => {
    const front = await kept(
      startFront(
        agentsAt(() => ({ kind: "offline", reason: "stopped", page })),
        { prefix },
      ),
    );
    expect(await ask(`${front.url.origin}${prefix}/`, navigation)).toMatchObject({ status: 200, body: rewritten });
  });
});

describe("service workers", () => {
  it("has our own below the prefix, with the prefix as its scope", async () => {
    const front = await kept(
      startFront(
        agentsAt(() => undefined),
        { prefix },
      ),
    );
    const reply = await ask(`${front.url.origin}${prefix}/__changelings/sw.js`);
    expect([reply.status, reply.body]).toEqual([200, workerScript(prefix)]);
    expect(reply.headers).toMatchObject({
      ...{ "content-type": "text/javascript; charset=utf-8", "service-worker-allowed": `${prefix}/` },
      ...{ "cache-control": "no-cache" },
    });
  });

  it("has none in host routing", async () => {
    const front = await kept(startFront(agentsAt(() => undefined)));
    expect((await ask(`${front.url}__changelings/sw.js`)).status).toBe(404);
  });

  it("prepends the link rewriting to the agent's own", async () => {
    const { url, asked } = await saying({ ...script, "Service-Worker-Allowed": "/" }, "own()");
    const reply = await ask(`${url}sw.js`, { headers: { "Service-Worker": "script", "Accept-Encoding": "gzip" } });
    expect(reply.body).toBe(`${workerPrelude(prefix)}own()`);
    expect(reply.headers["service-worker-allowed"]).toBe(`${prefix}/`);
    expect(asked).toEqual(["identity"]);
    expect((await ask(`${url}sw.js`)).body).toBe("own()");
  });

  it.each([404, 500])("leaves one with status %i unchanged", async (status) => {
    const { url } = await saying(script, "no", status);
    expect((await ask(url, { headers: { "Service-Worker": "script" } })).body).toBe("no");
  });
});

describe("orphansFrom", () => {
  const from = (referer: string | undefined) => orphansFrom({ headers: { referer } }, "http://localhost:8420");
  it.each([
    [`http://localhost:8420${prefix}/a?b`, `${prefix}/a`],
    ["http://localhost:8421/a", undefined],
    ["http://evil.example/a", undefined],
    ["nonsense", undefined],
    [undefined, undefined],
  ])("%s: %s", (referer, path) => {
    expect(from(referer)).toBe(path);
  });
});

it("has valid scripts that do not end a script element", () => {
  const evil = "/agent-a/</script><script>alert(1)//\u2028";
  for (const text of [pageScript(evil), workerScript(evil), pageScript(prefix), workerPrelude(prefix)]) {
    expect(() => new Function(text)).not.toThrow();
    expect(text).not.toContain("</script");
  }
});
