import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escaped, html } from "../../../../components/web/forwarding/program/pages/html.ts";
import { listPage, openingPage, placeholderPage } from "../../../../components/web/forwarding/program/pages/list.ts";
import {
  codeSpentPage,
  enterPage,
  loginPage,
  notEnteredPage,
} from "../../../../components/web/forwarding/program/pages/login.ts";
import {
  failurePage,
  logoutPage,
  notFoundPage,
  tooManyPage,
} from "../../../../components/web/forwarding/program/pages/notices.ts";
import { pageHeaders } from "../../../../components/web/forwarding/program/pages/page.ts";
import { type Problem, problemPage } from "../../../../components/web/forwarding/program/pages/problem-page.ts";
import { ada, agentView, bob } from "../../../support/forwarding-site.ts";

const cli = "npm run changeling --";
const kinds = ["bad-gateway", "timeout", "offline", "starting", "no-such-server"] as const;
const problem = (kind: Problem["kind"], name = "ada", reason = "it is stopped") =>
  problemPage({ kind, agent: { name }, reason }, cli).html;

/** Each page, with a text of somebody else's wherever one may stand. */
function pagesWith(text: string): Record<string, string> {
  return {
    login: loginPage(text, text),
    notEntered: notEnteredPage("http://localhost:8420", text),
    list: listPage(
      [agentView("a", text, { description: text, servers: ["web", text], lastActivity: text, lastMessage: text }), bob],
      cli,
    ),
    codeSpentOf: codeSpentPage(cli, text),
    logout: logoutPage(text, text),
    ...Object.fromEntries(kinds.map((kind) => [kind, problem(kind, text, text)])),
  };
}

const pages: Record<string, string> = {
  ...pagesWith("ada"),
  placeholder: placeholderPage(cli),
  codeSpent: codeSpentPage(cli),
  notFound: notFoundPage(),
  enter: enterPage(),
  opening: openingPage(),
  unseen: placeholderPage(cli, true),
  tooMany: tooManyPage(),
  failure: failurePage(),
};

describe("the template", () => {
  it("escapes its values, but not its own output", () => {
    expect(html`<p title="${`"'\``}">${"<b>&amp;"}${3}${[html`<i>${"<"}</i>`, html`-`]}</p>`.toString()).toBe(
      '<p title="&quot;&#39;&#96;">&lt;b&gt;&amp;amp;3<i>&lt;</i>-</p>',
    );
  });

  it("leaves no character that could end a text or a quoted attribute", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const safe = escaped(text);
        expect(safe).not.toMatch(/[<>"'`]|&(?!(amp|lt|gt|quot|#39|#96);)/);
        const back = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#96": "`" };
        expect(safe.replace(/&(amp|lt|gt|quot|#39|#96);/g, (_, name: keyof typeof back) => back[name])).toBe(text);
      }),
    );
  });
});

describe("every page", () => {
  const tagsOf = (page: string) => page.match(/<[a-z!/][^>]*>/gi)?.map((tag) => tag.replace(/"[^"]*"/g, '""')) ?? [];

  it("has the same tags, whatever a name or a reason contains", () => {
    const plain = pagesWith("ada");
    const unit = fc.constantFrom(..."<>\"'`&/=x ");
    const evil = fc.oneof(
      fc.string({ unit }),
      fc.constantFrom("</style><script>x</script>", '"><img src=x onerror=x>'),
    );
    fc.assert(
      fc.property(evil, (text) => {
        for (const [name, page] of Object.entries(pagesWith(text)))
          expect(tagsOf(page)).toEqual(tagsOf(plain[name] ?? ""));
      }),
      { numRuns: 50 },
    );
  });

  it.each(Object.entries(pages))("%s has a title, and complies with the policy", (_, page) => {
    const policy = pageHeaders["content-security-policy"];
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    const [, title] = /<title>(.+)<\/title>/.exec(page) ?? [];
    expect(page).toContain(`<h1>${title}</h1>`);
    for (const tag of ["style", "script"]) {
      for (const [, content = ""] of page.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, "gs"))) {
        const [, allowed = ""] = new RegExp(`${tag}-src ([^;]*)`).exec(policy ?? "") ?? [];
        expect(allowed.split(" ")).toContain(`'sha256-${createHash("sha256").update(content).digest("base64")}'`);
      }
    }
    // No inline handlers or styles, and nothing that would be loaded.
    expect(page).not.toMatch(/ (on[a-z]+|style|src)=/);
    expect(page.match(/<link [^>]*>/g)).toEqual([
      expect.stringMatching(/^<link rel="icon" href="data:image\/svg\+xml,[\w%.-]+">$/),
    ]);
  });

  it("is sent with headers that isolate it", () => {
    const { "content-security-policy": policy = "", ...others } = pageHeaders;
    expect(policy.replaceAll(/sha256-[A-Za-z0-9+/=]{44}/g, "sha256-<hash>").split("; ")).toEqual([
      "default-src 'none'",
      "style-src 'sha256-<hash>'",
      "script-src 'sha256-<hash>' 'sha256-<hash>' 'sha256-<hash>' 'sha256-<hash>'",
      "connect-src 'self'",
      "img-src data:",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(others).toEqual({
      "content-type": "text/html; charset=utf-8",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
    });
  });
});

describe("the list", () => {
  it("has links, a state and a logout for each agent", () => {
    const page = listPage([ada, { ...bob, state: "starting" }], cli);
    const count = (text: string) => page.split(text).length - 1;
    for (const { id, name } of [ada, bob]) {
      expect(count(`<a href="/${id}/">${name}</a>`)).toBe(2);
      expect(count(`<form method="post" action="/logout?agent_id=${id}">`)).toBe(1);
    }
    expect(page.match(/<span.*<\/span>/g)).toEqual([
      '<span class="state online">Online</span>',
      '<span class="state starting">Starting</span>',
    ]);
  });

  it("shows each agent's purpose, location, last activity, last message and other servers", () => {
    const at = "2026-11-30T11:55:00.000Z";
    const more = { description: "Keeps <notes>", lastActivity: at, lastMessage: "a < b", servers: ["web", "a/b"] };
    const page = listPage([{ ...ada, ...more, provider: "docker" }, bob], cli, new Date("2026-11-30T12:00:00Z"));
    expect(page).toContain("<p>Keeps &lt;notes&gt;</p>");
    expect(page).toContain('<p class="message">“a &lt; b”</p>');
    expect(page).toContain('On Docker · last active <time datetime="2026-11-30T11:55:00.000Z">5 min ago</time>');
    expect(page).toContain(`Also: <a href="/${ada.id}/a%2Fb/">a/b</a>`);
    expect(page).toContain('<p class="soft">On this machine</p>');
  });
});

describe("a command on a page", () => {
  it("works where it was deployed from, with the agent's name if logged in, otherwise with its id", () => {
    const commands = [codeSpentPage(cli, ada.id), placeholderPage(cli), problem("offline"), problem("timeout")];
    expect(commands.map((page) => /<pre>(.*)<\/pre>/.exec(page)?.[1])).toEqual([
      `npm run changeling -- login-url ${ada.id}`,
      "npm run changeling -- login-url NAME",
      "npm run changeling -- start ada",
      "npm run changeling -- logs ada",
    ]);
  });
});

describe("a page about an agent's problem", () => {
  it("says which agent and why, and looks again when waiting helps", () => {
    const seen = kinds.map((kind) => {
      const page = problem(kind);
      return [/<h1>(.*)<\/h1>/.exec(page)?.[1], /http-equiv="refresh" content="(\d+)"/.exec(page)?.[1]];
    });
    expect(seen).toEqual([
      ["ada can’t be reached", undefined],
      ["ada does not answer", undefined],
      ["ada is offline", "15"],
      ["ada is starting", "3"],
      ["ada has no such server", undefined],
    ]);
    for (const kind of kinds) expect(problem(kind)).toContain("<p>It is stopped.</p>");
  });
});
