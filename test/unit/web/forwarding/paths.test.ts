import { describe, expect, it } from "vitest";
import { ada, agentView, bob, openSite } from "../../../support/forwarding-site.ts";

const many = agentView("a", "ada", { servers: ["web", "api", "Two words", "a/b"] });

describe("a path", () => {
  it.each([
    [`/${ada.id}/../${bob.id}/`, ada.id, `/../${bob.id}/`],
    [`/${ada.id}/%2e%2e/${bob.id}/`, ada.id, `/%2e%2e/${bob.id}/`],
    [`/${ada.id}/..%2f${bob.id}/`, ada.id, `/..%2f${bob.id}/`],
    [`/${ada.id}//${bob.id}/`, ada.id, `//${bob.id}/`],
    [`/${ada.id}/\\..\\${bob.id}`, ada.id, `/\\..\\${bob.id}`],
    [`/${ada.id}/?a=/${bob.id}/`, ada.id, `/?a=/${bob.id}/`],
  ])("%s belongs only to the first agent", async (path, id, rest) => {
    await using site = await openSite([ada, bob], { routing: "path" });
    const cookie = `${await site.login(ada)}; ${await site.login(bob)}`;
    await site.ask(path, { cookie });
    expect(site.proxied).toEqual([
      { agent: ada, server: undefined, prefix: `/${id}`, path: rest, publicOrigin: site.server.url },
    ]);
  });

  it.each([
    `/${ada.id}x/`,
    `/${ada.id.toUpperCase()}/`,
    `/${ada.id.slice(0, -1)}/`,
    `/%61${ada.id.slice(1)}/`,
    `//${ada.id}/`,
    `/./${ada.id}/`,
    `/login/../${ada.id}/`,
    `/${ada.id}%2f`,
    `/${ada.id}\\`,
  ])("%s belongs to no agent", async (path) => {
    await using site = await openSite([ada], { routing: "path" });
    expect((await site.ask(path, { cookie: await site.login(ada) })).status).toBe(404);
    expect(site.proxied).toEqual([]);
  });
});

describe("routing by path", () => {
  it("forwards requests without a redirect, with their prefix", async () => {
    await using site = await openSite([many], { routing: "path" });
    const cookie = await site.login(ada);
    const at = (prefix: string, server: string | undefined, path: string) => ({
      ...{ agent: many, server, prefix, path, publicOrigin: site.server.url },
    });
    for (const path of [
      "/",
      "/x?y=1",
      "/api/v1",
      "/apis",
      "/web/",
      "/Two%20words/x",
      "/a%2Fb/x",
      "/__changelings/sw.js",
    ])
      expect((await site.ask(`/${ada.id}${path}`, { cookie, method: "PUT", body: "" })).status).toBe(200);
    const own = `/${ada.id}`;
    expect(site.proxied).toEqual([
      at(own, undefined, "/"),
      at(own, undefined, "/x?y=1"),
      at(`${own}/api`, "api", "/v1"),
      at(own, undefined, "/apis"),
      at(own, undefined, "/web/"),
      at(`${own}/Two%20words`, "Two words", "/x"),
      at(`${own}/a%2Fb`, "a/b", "/x"),
      at(own, undefined, "/__changelings/sw.js"),
    ]);
  });

  it("adds the trailing slash that relative links need", async () => {
    await using site = await openSite([many], { routing: "path" });
    const cookie = await site.login(ada);
    const goal = async (path: string) => (await site.ask(path, { cookie })).location?.slice(site.server.url.length);
    expect(await goal(`/${ada.id}`)).toBe(`/${ada.id}/`);
    expect(await goal(`/${ada.id}?a=1`)).toBe(`/${ada.id}/?a=1`);
    expect(await goal(`/${ada.id}/api`)).toBe(`/${ada.id}/api/`);
    expect(site.proxied).toEqual([]);
  });
});

describe("an absolute link of an agent's page", () => {
  const from = (path: string) => ({ referer: path });
  const asked = async (routing: "host" | "path", path: string, referer: (main: string) => string) => {
    await using site = await openSite([many], { routing });
    const answer = await site.ask(path, { headers: from(referer(site.server.url)) });
    return [answer.status, answer.location?.replace(site.server.url, "")];
  };

  it.each([
    ["/style.css?v=1", `/${ada.id}/`, `/${ada.id}/style.css?v=1`],
    ["//evil.example/x", `/${ada.id}/deep/page?q`, `/${ada.id}//evil.example/x`],
    ["/x", `/${ada.id}/api/docs`, `/${ada.id}/api/x`],
    ["/x", `/${ada.id}/Two%20words/`, `/${ada.id}/Two%20words/x`],
  ])("to %s from %s is redirected to the agent", async (path, page, location) => {
    expect(await asked("path", path, (main) => main + page)).toEqual([307, location]);
  });

  it.each([
    ["to what the main origin has", "path", "/login?x", `/${ada.id}/`, 403],
    ["where agents have their own origins", "host", "/x", `/${ada.id}/`, 404],
    ["from a page of the main origin", "path", "/x", "/", 404],
    ["from an agent that is not there", "path", "/x", `/${bob.id}/`, 404],
  ] as const)("%s is not redirected", async (_what, routing, path, page, status) => {
    expect(await asked(routing, path, (main) => main + page)).toEqual([status, undefined]);
  });

  it("is not redirected for another site's page", async () => {
    expect(await asked("path", "/x", () => `http://evil.example/${ada.id}/`)).toEqual([404, undefined]);
  });
});
