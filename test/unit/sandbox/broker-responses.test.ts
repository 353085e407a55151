import { createServer as createSecureServer } from "node:https";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { apiOf, ask, certificate, endLabs, key, lab, listening, rawApi } from "../../support/broker-lab.ts";
import "../../support/properties.ts";

afterEach(() => endLabs());

describe("what the API answers", () => {
  test.each([200, 400, 403, 429, 500, 529])("with %i is passed on", async (status) => {
    const api = await apiOf((_, outgoing) => {
      outgoing.writeHead(status, { "retry-after": "7", "x-should-retry": "true", "set-cookie": "a=b" }).end("reason");
    });
    const answer = await ask(await lab(api.url));
    expect(answer).toMatchObject({ status, text: "reason", headers: { "retry-after": "7", "x-should-retry": "true" } });
    expect(answer?.headers["set-cookie"]).toBeUndefined();
  });

  test("about the key does not contain the key", async () => {
    const api = await apiOf((_, outgoing) => {
      outgoing.writeHead(401, { "x-key": key }).end(`Incorrect API key provided: ${key.slice(0, 8)}***`);
    });
    const answer = await ask(await lab(api.url));
    expect(answer).toMatchObject({ status: 401, text: expect.stringContaining("the API rejects the key") });
    expect(JSON.stringify(answer)).not.toContain("sk-real");
    const echo = await apiOf(({ headers }, outgoing) => {
      outgoing.writeHead(200, { "x-key": headers["x-api-key"], [key]: "x" }).end();
    });
    expect(JSON.stringify(await ask(await lab(echo.url)))).not.toContain(key);
  });

  test("in pieces and in headers does not contain the key or a gateway's, and has its length", async () => {
    const gateway = "gateway-0123456789";
    const text = `data: ${key}${key.slice(0, 9)}${key} ${gateway}\n\nblue ${key.slice(0, 5)}`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length)), async (cuts) => {
        const ends = [...cuts.sort((a, b) => a - b), text.length];
        const api = await apiOf(async (_, outgoing) => {
          outgoing.writeHead(400, { "content-length": text.length, "x-echo": `Bearer ${gateway}`, "x-team": "blue" });
          for (const [index, end] of ends.entries()) {
            outgoing.write(text.slice(ends[index - 1] ?? 0, end));
            await new Promise(setImmediate);
          }
          outgoing.end();
        });
        const headers = { "x-team": "blue", "x-gateway-auth": `Bearer ${gateway}` };
        const answer = await ask(await lab(api.url, { headers }));
        const stars = (secret: string) => "*".repeat(secret.length);
        const redacted = text.replaceAll(key, stars(key)).replace(gateway, stars(gateway));
        expect(answer).toMatchObject({ status: 400, text: redacted, isWhole: true, headers: { "x-team": "blue" } });
        expect(answer?.headers["x-echo"]).toBeUndefined();
        endLabs();
      }),
      { numRuns: 20 },
    );
  });

  test("is not passed on compressed, so that the key can be redacted", async () => {
    const api = await apiOf(({ headers }, outgoing) => {
      outgoing.writeHead(500, { "content-encoding": "gzip" }).end(gzipSync(String(headers["x-api-key"])));
    });
    const answer = await ask(await lab(api.url), { headers: { "accept-encoding": "gzip" } });
    expect(answer).toMatchObject({ status: 502, text: expect.stringContaining("compresses its response") });
    expect(api.requests).toMatchObject([{ headers: { "accept-encoding": "identity" } }]);
  });

  test("with a redirect is an error that says where to, and is not followed", async () => {
    const target = await apiOf();
    const api = await apiOf((_, outgoing) => {
      outgoing.writeHead(307, { location: `${target.url}/v1/messages?secret=1` }).end();
    });
    const answer = await ask(await lab(api.url));
    expect(answer).toMatchObject({ status: 502, text: expect.stringContaining(`redirects to ${target.url}: correct`) });
    expect(target.requests).toEqual([]);
  });

  // The broker is in the session service, so an exception would end all sessions.
  const long = "a".repeat(70_000);
  test.each(
    [
      "HTTP/1.1 000 OK\r\n\r\n",
      "HTTP/1.1 1000 OK\r\n\r\n",
      "HTTP/1.1 302 Found\r\nlocation: http://[\r\n\r\n",
      "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 200 OK\r\nx: a\x01b\r\n\r\n",
      `HTTP/1.1 200 OK\r\nx: ${long}\r\n\r\n`,
      "no HTTP\r\n\r\n",
      "",
    ].map((response) => ({ form: response.replace(long, "a…"), response })),
  )("in the form $form is reported as a bad gateway", async ({ response }) => {
    const at = await lab(await rawApi(response));
    for (const _ of [1, 2]) expect(await ask(at)).toMatchObject({ status: 502 });
  });

  test("is cut off where the API cuts it off", async () => {
    const at = await lab(await rawApi("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    expect(await ask(at)).toMatchObject({ status: 200, text: "half", isWhole: false });
  });

  test("in any bytes ends neither the broker nor its other requests", async () => {
    const good = await apiOf();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), async (text) => {
        const bytes = Buffer.from(text).toString("latin1");
        const at = await lab(await rawApi(`HTTP/1.1 ${bytes}`));
        await ask(at);
        const access = at.broker.access({ kind: "anthropic", baseUrl: good.url, credential: ["x-api-key", key] });
        expect(await ask({ ...at, access })).toMatchObject({ status: 200 });
        endLabs(1);
      }),
      { numRuns: 40 },
    );
  });

  test("is missing if it can't be reached", async () => {
    expect(await ask(await lab("http://127.0.0.1:1"))).toMatchObject({
      status: 502,
      text: expect.stringContaining("no answer from the API"),
    });
  });
});

test("an API with TLS is reached if this machine trusts its authority", async () => {
  const server = createSecureServer(certificate, ({ headers }, outgoing) => {
    setTimeout(() => outgoing.end(String(headers["x-api-key"] === key)), 800);
  });
  const at = await lab(await listening(server, "https"), {}, { connectMs: 500 });
  expect(await ask(at)).toMatchObject({ status: 200, text: "true" });
});
