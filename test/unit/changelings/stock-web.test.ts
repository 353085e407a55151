import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { Coalesced } from "../../../changelings/chat/repo/lib/coalesced.mjs";
import { readSettings } from "../../../changelings/chat/repo/lib/config.mjs";
import { html, snapshotPage } from "../../../changelings/chat/repo/lib/page.mjs";
import { promptOf } from "../../../changelings/chat/repo/lib/responder.mjs";
import { refusal } from "../../../changelings/chat/repo/lib/same-site.mjs";
import { piecesOf } from "../../../changelings/chat/repo/public/format.js";
import { stockWebType, stockWebTypes } from "../../../changelings/stock-web.ts";
import { webSettings } from "../../../components/web/settings.ts";
import { checkout } from "../../../scripts/stack/setup/cache.mjs";

describe("the stock web changelings", () => {
  test("are these", () => {
    expect(stockWebTypes()).toEqual(["chat", "elena-code"]);
    expect(["cron", "todo-ledger", "../chat", "Chat", ""].map((name) => stockWebType(name))).toEqual(
      Array(5).fill(undefined),
    );
  });

  test("define only their own agent type, as mngr reads it", () => {
    expect(stockWebTypes().map((name) => parse(stockWebType(name)?.agentTypes ?? ""))).toEqual([
      { agent_types: { chat: { parent_type: "command", command: "node server.mjs" } } },
      { agent_types: { "elena-code": { parent_type: "command", command: "node server.mjs claude" } } },
    ]);
  });

  test("need a key only if Claude answers, and have a summary of one sentence", () => {
    const all = stockWebTypes().flatMap((name) => stockWebType(name) ?? []);
    expect(all.map(({ needsClaude }) => needsClaude)).toEqual([false, true]);
    for (const { summary } of all) expect(summary).toMatch(/^[A-Z].{20,140}\.$/);
  });

  test("have their files and the packages that these import", () => {
    const expected = [
      { from: join(checkout, "changelings/chat/repo"), to: "." },
      { from: join(checkout, "node_modules/smol-toml"), to: "node_modules/smol-toml" },
      { from: join(checkout, "node_modules/ws"), to: "node_modules/ws" },
    ];
    for (const name of stockWebTypes()) expect(stockWebType(name)?.copies).toEqual(expected);
    const imported = programs("changelings/chat/repo").flatMap((text) =>
      [...text.matchAll(/ from "([^."][^"]*)"/g)].flatMap(([, name]) => name ?? []),
    );
    expect([...new Set(imported.filter((name) => !name.startsWith("node:")))].sort()).toEqual(["smol-toml", "ws"]);
    for (const name of ["smol-toml", "ws"]) {
      expect(JSON.parse(readFileSync(join(checkout, "node_modules", name, "package.json"), "utf8"))).not.toHaveProperty(
        "dependencies",
      );
    }
  });

  test("are in the README, each with its own link", () => {
    const [, web = ""] = readFileSync(join(checkout, "changelings/README.md"), "utf8").split("## Web changelings");
    const rows = [...web.matchAll(/^\| \[([a-z-]+)\]\(([^)]+)\)/gm)].map(([, name, link]) => [name, link]);
    expect(rows).toEqual([
      ["chat", "chat/repo/README.md"],
      ["elena-code", "elena-code"],
    ]);
  });

  test("have different fingerprints, of 12 hex digits", () => {
    const prints = stockWebTypes().map((name) => stockWebType(name)?.fingerprint);
    expect(new Set(prints).size).toBe(2);
    for (const print of prints) expect(print).toMatch(/^[0-9a-f]{12}$/);
  });
});

function programs(folder: string): string[] {
  const entries = readdirSync(join(checkout, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter(({ name }) => /\.m?js$/.test(name));
  return files.map((file) => readFileSync(join(file.parentPath, file.name), "utf8"));
}

describe("the chat's settings", () => {
  test("have the defaults of the specification", () => {
    const { chat } = webSettings.parse({});
    expect(readSettings("/nonexistent/settings.toml")).toEqual({
      model: chat.model,
      contextMessages: chat.context.max_messages_line_count,
      contextLength: chat.context.max_content_length,
    });
  });
});

describe("a message's pieces", () => {
  test("are text, code, blocks and links", () => {
    expect(piecesOf("See\n\n```js\nf(1);\n\n```\n\n`f` at https://example.org/a?b=(1). Good")).toEqual([
      { kind: "text", text: "See" },
      { kind: "block", text: "f(1);\n" },
      { kind: "code", text: "f" },
      { kind: "text", text: " at " },
      { kind: "link", text: "https://example.org/a?b=(1" },
      { kind: "text", text: "). Good" },
    ]);
    expect(piecesOf("```\nno end")).toEqual([{ kind: "block", text: "no end" }]);
    expect(piecesOf("http://_)")).toEqual([{ kind: "text", text: "http://_)" }]);
    expect(piecesOf("javascript:alert(1) http:// ``")).toEqual([
      { kind: "text", text: "javascript:alert(1) http:// ``" },
    ]);
  });

  const texts = fc.array(
    fc.oneof(fc.constantFrom("```", "\n", "`", "https://a.b", "http://", ".", ")", "<b>", " "), fc.string()),
  );

  test("lose only the marks of code, and link only to http(s)", () => {
    const withoutMarks = (text: string) => text.replaceAll(/[`\n]/g, "");
    fc.assert(
      fc.property(
        texts.map((parts) => parts.join("")),
        (text) => {
          const pieces = piecesOf(text);
          // What stands behind an opening fence names the language, and is no part of the text.
          if (!/^```/m.test(text)) {
            expect(withoutMarks(pieces.map((piece) => piece.text).join(""))).toBe(withoutMarks(text));
          }
          for (const piece of pieces) if (piece.kind === "link") expect(piece.text).toMatch(/^https?:\/\/\w/);
        },
      ),
    );
  });

  test("never become tags or attributes of a page", () => {
    fc.assert(
      fc.property(
        texts.map((parts) => `${parts.join("")}<img src=x onerror='a()'>" onclick="b()`),
        (text) => {
          const at = "2026-11-21T03:00:00.000Z";
          const page = snapshotPage(text, [{ id: 1, at, from: "agent", text }], new Date(at));
          const tags = [...page.matchAll(/<\/?([a-z0-9]+)/g)].map(([, name]) => name);
          const known = ["a", "article", "body", "code", "div", "h1", "h2", "head", "header", "html", "main", "meta"];
          const others = ["p", "pre", "style", "time", "title"];
          expect(tags.filter((name) => ![...known, ...others].includes(name ?? ""))).toEqual([]);
          expect(page).not.toMatch(/<[^>]*\son[a-z]+=/);
        },
      ),
    );
  });

  test("are escaped everywhere", () => {
    expect(html`<p title="${"\"'&"}">${"<b>"}${[html`<i>`, html`${"</i>"}`]}</p>`.text).toBe(
      '<p title="&#34;&#39;&#38;">&#60;b&#62;<i>&#60;/i&#62;</p>',
    );
  });
});

test("Claude's prompt is the message, below the truncated earlier ones", () => {
  const at = "2026-11-21T03:00:00.000Z";
  const message = { id: 3, at, from: "person" as const, text: "And now?" };
  expect(promptOf(message, [], 5)).toBe("And now?");
  const context = [
    { id: 1, at, from: "person" as const, text: "1234567" },
    { id: 2, at, from: "agent" as const, text: "👍👍👍👍👍" },
  ];
  expect(promptOf(message, context, 5)).toBe(
    [
      "The conversation before, oldest first, long messages cut:",
      "",
      "Person: 12345…",
      "You: 👍👍👍👍👍",
      "",
      "The person's new message, which you answer:",
      "",
      "And now?",
    ].join("\n"),
  );
});

test.each([
  ["a direct request", { host: "127.0.0.1:9100" }, undefined],
  ["one through a front that speaks TLS", { host: "e.x.y", origin: "https://e.x.y" }, undefined],
  ["one through a front at a port of its own", { host: "e.x.y:8443", origin: "https://e.x.y:8443" }, undefined],
  [
    "one through a proxy that passes the name separately",
    { host: "127.0.0.1:9100", origin: "https://e.x.y", "x-forwarded-host": "e.x.y" },
    undefined,
  ],
  [
    "one by an agent's own name",
    { host: "agent-1.localhost:8420", origin: "http://agent-1.localhost:8420" },
    undefined,
  ],
  ["IPv6's", { host: "[::1]:9100" }, undefined],
  ["a rebound name", { host: "evil.example:9100" }, "this server has another name"],
  ["a name that only looks so", { host: "localhost.evil.example:9100" }, "this server has another name"],
  ["no name", {}, "this server has another name"],
  ["a foreign page's script", { host: "127.0.0.1:9100", origin: "http://evil.example" }, "sent by another site"],
  ["a frame without an origin", { host: "127.0.0.1:9100", origin: "null" }, "sent by another site"],
  ["a foreign page's form", { host: "127.0.0.1:9100", "sec-fetch-site": "cross-site" }, "sent by another site"],
])("%s is refused, or not", (_who, headers, reason) => {
  expect(refusal({ headers, method: "POST", socket: { localPort: 9100 } })).toBe(reason);
});

test("coalesced work runs after each call, and never concurrently", async () => {
  const log: string[] = [];
  let finish = () => {};
  const work = new Coalesced(async () => {
    log.push("begins");
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    log.push("ends");
  });
  const first = work.run();
  const [second, third] = [work.run(), work.run()];
  expect(second).toBe(third);
  finish();
  await first;
  await Promise.resolve();
  expect(log).toEqual(["begins", "ends", "begins"]);
  finish();
  await work.settle();
  expect(log).toEqual(["begins", "ends", "begins", "ends"]);
});
