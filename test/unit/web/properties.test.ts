import "../../support/properties.ts";
import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { afterAll, describe, expect, it } from "vitest";
import { parseAddPath } from "../../../components/web/added-paths.ts";
import { webOf } from "../../../components/web/from-program.ts";
import { settingsToml, type WebSettings, webSettings } from "../../../components/web/settings.ts";
import { Sandbox, webs } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
sandbox.repo("agent", ["main", "develop"]);
sandbox.write("notes/style.md", "");
afterAll(() => sandbox[Symbol.dispose]());

const text = fc.string({ minLength: 1, maxLength: 20, unit: "binary" }).filter((value) => !value.includes("\0"));
const count = fc.integer({ min: 1, max: 1_000_000 });
const span = fc.double({ min: 0.1, max: 86_400, noNaN: true });

/** Any subset of the keys of the tables. */
function some<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(shape, { requiredKeys: [] });
}

const { chat, provisioning } = webSettings.parse({});
const each = <Value>(table: object, value: fc.Arbitrary<Value>) =>
  some<Record<string, Value>>(Object.fromEntries(Object.keys(table).map((key) => [key, value])));

const settings = some({
  chat: some({ model: text, context: each(chat.context, count), extra_context: each(chat.extra_context, count) }),
  watchers: some({
    conversation_poll_interval_seconds: count,
    event_poll_interval_seconds: count,
    watched_event_sources: fc.array(text, { maxLength: 4 }),
  }),
  provisioning: each(provisioning, span),
});

describe("settings", () => {
  it("default to those of the specification, including fractions", () => {
    expect(settingsToml(webSettings.parse({}))).toBe(`[chat]
model = "claude-opus-4-6"

[chat.context]
max_transcript_line_count = 10
max_messages_line_count = 20
max_messages_per_conversation = 3
max_trigger_line_count = 5
max_content_length = 200

[chat.extra_context]
max_content_length = 300
transcript_line_count = 50
mng_list_hard_timeout_seconds = 120
mng_list_warn_threshold_seconds = 15

[watchers]
conversation_poll_interval_seconds = 5
event_poll_interval_seconds = 3
watched_event_sources = [ "messages", "scheduled", "mng_agents", "stop" ]

[provisioning]
fs_hard_timeout_seconds = 16.0
fs_warn_threshold_seconds = 4.0
command_check_hard_timeout_seconds = 30.0
command_check_warn_threshold_seconds = 5.0
install_hard_timeout_seconds = 300.0
install_warn_threshold_seconds = 60.0
`);
  });

  it("are read back from their file unchanged", () => {
    fc.assert(
      fc.property(settings, (declared) => {
        const filled: WebSettings = webSettings.parse(declared);
        expect(webSettings.parse(parse(settingsToml(filled)))).toEqual(filled);
        expect(filled).toMatchObject(declared);
      }),
    );
  });
});

describe("any valid table of a web changeling", () => {
  const table = some({
    description: text,
    source: fc.constantFrom("agent", "https://example.com/a/b", "git@example.com:a/b.git"),
    agent_type: fc.constantFrom("chat", "elena-code", "claude"),
    enabled: fc.boolean(),
    add_paths: fc.constantFrom([], ["notes:docs"], ["notes/style.md:a/../b/", "notes:c"]),
    // No name that steers a program (PATH, ENV, IFS, …) begins so.
    secrets: fc.uniqueArray(fc.stringMatching(/^MY_[A-Z]{3,8}$/), { maxLength: 3 }),
    env: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), text, { maxKeys: 3 }),
    data: fc.constantFrom("/srv/elena", "~/elena/", "~/.changelings/elena"),
    destroy_data: fc.boolean(),
    remote: fc.constantFrom("agent", "https://example.com/a/b", "git@example.com:a/b.git"),
    memory_in_git: fc.boolean(),
    settings,
    start_timeout_seconds: fc.integer({ min: 5, max: 900 }),
    agent_args: fc.array(text, { maxLength: 3 }),
    renamed_from: fc.constantFrom("former"),
  });

  it("is valid, and a program with its options declares the same changeling", async () => {
    await fc.assert(
      fc.asyncProperty(table, async (options) => {
        const toml = stringify({ changelings: { chat: { kind: "web", ...options } } });
        const { fleet, diagnostics } = await sandbox.load(toml);
        expect(sandbox.words(diagnostics.filter(({ severity }) => severity === "error"))).toEqual([]);
        const [declared] = webs(fleet);
        if (declared === undefined) throw new Error(`nothing is declared by ${toml}`);
        const { name, secrets, secretsAreExplicit, ...rest } = declared;
        expect(webOf(name, { ...rest, ...(secretsAreExplicit ? { secrets } : {}) })).toEqual(declared);
        expect(declared.settings).toEqual(options.settings && webSettings.parse(options.settings));
      }),
      { numRuns: 60 },
    );
  });
});

describe("any SRC:DEST", () => {
  it("is rejected, or names a path below the repo outside of .git", () => {
    const part = fc.constantFrom("a", "b c", ".", "..", ".git", ".GIT", "", "~", ":");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), fc.array(part, { maxLength: 6 }), (from, to) => {
        const parsed = parseAddPath(`${from.join("/")}:${to.join("/")}`);
        if ("message" in parsed) return;
        const parts = parsed.to.split("/");
        expect(parts).not.toHaveLength(0);
        for (const each of parts) expect(["", ".", "..", ".git"]).not.toContain(each.toLowerCase());
      }),
    );
  });
});
