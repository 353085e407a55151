import fc from "fast-check";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { setTableKey } from "../../../components/fleet/edit.ts";
import { addChangeling, declaredNames, optionIn, removeChangeling } from "../../../components/fleet/edit-tables.ts";

const chat = { kind: "web", agent_type: "chat" };
const written = '[changelings.chat]\nkind = "web"\nagent_type = "chat"\n';

describe("addChangeling", () => {
  it.each([
    ["an empty file", "", written],
    ["a file", "[changelings.a] # first\n", `[changelings.a] # first\n\n${written}`],
    ["a file without a last line end", "[changelings.a]", `[changelings.a]\n\n${written}`],
    ["Windows line ends", "[changelings.a]\r\n", `[changelings.a]\r\n\r\n${written.replaceAll("\n", "\r\n")}`],
    ["a byte order mark", "\uFEFF# mine\n", `\uFEFF# mine\n\n${written}`],
    ["dotted keys", "changelings.a.branch = 'x'\n", `changelings.a.branch = 'x'\n\n${written}`],
  ])("writes it at the end of %s", (_what, text, expected) => {
    expect(addChangeling(text, "chat", chat)).toBe(expected);
  });

  it("writes nested tables with headers of their own", () => {
    const text = addChangeling("", "chat", { ...chat, settings: { chat: { model: "m" } } });
    expect(text).toBe(`${written}\n[changelings.chat.settings.chat]\nmodel = "m"\n`);
  });

  it.each([
    ["what is declared", "[changelings.chat]\n", "the fleet file declares chat already"],
    [
      "a file of one inline table",
      "changelings = { a = {} }\n",
      "chat can't be added to this file automatically; add it by hand",
    ],
  ])("refuses %s", (_what, text, message) => {
    expect(() => addChangeling(text, "chat", chat)).toThrow(message);
  });
});

describe("removeChangeling", () => {
  it.each([
    ["the only one", written, ""],
    ["the first", `${written}\n[changelings.b]\n`, "[changelings.b]\n"],
    ["the last", `[changelings.a]\n\n${written}`, "[changelings.a]\n"],
    ["the last, with Windows line ends", "# a\r\n \r\n[changelings.chat]\r\n", "# a\r\n"],
    ["its comments", `# all\n\n# it\n${written}# off = 1\n\n# b\n[changelings.b]\n`, "# all\n\n# b\n[changelings.b]\n"],
    ["no comment of the next", `${written}# b\n[changelings.b]\n`, "# b\n[changelings.b]\n"],
    ["its nested tables", `[changelings.chat.env]\nA = "1"\n\n[changelings.b]\n${written}`, "[changelings.b]\n"],
    ["a line", "[changelings]\nchat = { kind = 'web' } # it\nb = {}\n", "[changelings]\nb = {}\n"],
    ["dotted keys", "changelings.chat.kind = 'web'\nchangelings.b.branch = 'x'\n", "changelings.b.branch = 'x'\n"],
  ])("takes out %s", (_what, text, expected) => {
    expect(removeChangeling(text, "chat")).toBe(expected);
  });

  it.each([
    ["what is not declared", "[changelings.b]\n", "the fleet file declares no changeling chat"],
    [
      "a part of an inline table",
      "changelings = { chat = {}, b = {} }\n",
      "chat can't be removed from this file automatically; remove it by hand",
    ],
  ])("refuses %s", (_what, text, message) => {
    expect(() => removeChangeling(text, "chat")).toThrow(message);
  });

  it("takes out what was added, whatever was there", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const table = fc.dictionary(fc.stringMatching(/^[a-z_]{1,6}$/), fc.oneof(fc.string(), fc.integer(), fc.boolean()));
    fc.assert(
      fc.property(fc.dictionary(name, table), name, table, (others, added, options) => {
        fc.pre(!Object.hasOwn(others, added));
        const text = Object.entries(others).reduce((all, [each, own]) => addChangeling(all, each, own), "# fleet\n");
        const removed = removeChangeling(addChangeling(text, added, options), added);
        expect(parse(removed)).toEqual(parse(text));
        expect(removed).toBe(text);
      }),
    );
  });
});

describe("setTableKey", () => {
  it.each([
    ["a table that is there", "[forwarding] # it\nport = 1 # ours\n", "[forwarding] # it\nport = 9000 # ours\n"],
    ["one without the key", "[forwarding]\nhost = 'a'\n[b]\n", "[forwarding]\nhost = 'a'\nport = 9000\n[b]\n"],
    ["an inline one", "forwarding = { host = 'a' }\n", "forwarding = { host = 'a', port = 9000 }\n"],
    ["a file without it", "# mine\n", "# mine\n\n[forwarding]\nport = 9000\n"],
    ["a byte order mark", "\uFEFFforwarding.port = 1\n", "\uFEFFforwarding.port = 9000\n"],
  ])("sets a key of %s", (_what, text, expected) => {
    expect(setTableKey(text, "forwarding", "port", 9000)).toBe(expected);
  });
});

describe("what a text declares", () => {
  const text = "\uFEFF[defaults]\nbranch = 'd'\nenabled = false\n[changelings.a]\nbranch = 'x'\n[changelings.b]\n";
  it("names those that it declares", () => {
    expect([...declaredNames(text)]).toEqual(["a", "b"]);
    expect([...declaredNames("")]).toEqual([]);
  });

  it.each([
    ["a", "branch", "x"],
    ["b", "branch", "d"],
    ["toString", "branch", "d"],
    ["a", "enabled", false],
    ["a", "remote", undefined],
  ])("has for %s the %s %j", (name, key, value) => {
    expect(optionIn(text, name, key)).toBe(value);
  });
});
