import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOfSpec } from "../../../components/web/agent/spec.ts";
import { environmentOfWeb, specOfWeb, webEnvironment } from "../../../components/web/agent/web-environment.ts";
import { webOf } from "../../../components/web/from-program.ts";

const anchors = { project: "/home/me/fleet", home: "/home/me" };
const context = {
  installation: "0123456789ab",
  mngrProfile: undefined,
  commit: undefined,
  definition: undefined,
  added: undefined,
  secrets: [],
  anchors,
};

describe("a web changeling as its Command's environment", () => {
  it("describes the declaration in words, and omits unset options", () => {
    const elena = webOf("elena", {
      source: "https://github.com/me/elena",
      addPaths: ["/home/me/notes/style.md:docs/style.md"],
      data: "/home/me/elena",
    });
    const environment = environmentOfWeb(elena, {
      ...context,
      commit: "1".repeat(40),
      added: "abc",
      secrets: ["B", "A"],
    });
    expect(environment).toEqual({
      NAME: "elena",
      INSTALLATION: "0123456789ab",
      PROVIDER: "local",
      ENABLED: "yes",
      SOURCE: "https://github.com/me/elena",
      BRANCH: "main",
      COMMIT: "1".repeat(40),
      ADD_PATHS: '["~/notes/style.md:docs/style.md"]',
      ADDED_FILES: "abc",
      SECRETS: "A, B",
      DATA: "~/elena",
      DESTROY_DATA: "no",
      MEMORY_IN_GIT: "no",
      START_TIMEOUT_SECONDS: "60",
    });
  });

  it("shows settings as the text of their file, including defaults", () => {
    const { SETTINGS: settings } = environmentOfWeb(webOf("chat", { settings: { chat: { model: "mine" } } }), context);
    expect(settings).toContain('[chat]\nmodel = "mine"\n');
    expect(settings).toContain("max_transcript_line_count = 10\n");
  });

  it("is decoded to the same agent", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0"));
    const options = fc.record({
      enabled: fc.boolean(),
      env: fc.dictionary(fc.stringMatching(/^MY_[A-Z]{1,5}$/), text, { maxKeys: 3 }),
      agentArgs: fc.array(text, { maxLength: 3 }),
      startTimeoutSeconds: fc.integer({ min: 5, max: 900 }),
      destroyData: fc.boolean(),
      memoryInGit: fc.boolean(),
      source: fc.constantFrom("/home/me/src/elena", "/srv/elena", "git@github.com:me/elena.git", "https://x.org/e"),
      remote: fc.option(fc.constantFrom("/home/me/backup.git", "git@github.com:me/copy.git"), { nil: undefined }),
      data: fc.option(fc.constantFrom("/home/me/data", "/srv/data"), { nil: undefined }),
      addPaths: fc.constantFrom([], [{ from: "/home/me/a:b/style.md", to: "docs/style.md" }]),
    });
    const secrets = fc.uniqueArray(fc.stringMatching(/^[A-Z]{1,5}$/), { maxLength: 3 });
    fc.assert(
      fc.property(options, secrets, (declared, names) => {
        const environment = environmentOfWeb(webOf("elena", declared), { ...context, secrets: names });
        const spec = specOfWeb(webEnvironment.decode(environment), anchors);
        expect(spec).toEqual({
          name: "elena",
          provider: "local",
          branch: "main",
          buildArgs: [],
          secrets: [...names].sort(),
          ...declared,
        });
      }),
    );
  });
});

describe("digestOfSpec", () => {
  const spec = specOfWeb(
    webEnvironment.decode(environmentOfWeb(webOf("elena", { source: "/srv/elena" }), context)),
    anchors,
  );

  it("changes with what the agent is started with", () => {
    const changed = [
      spec,
      { ...spec, name: "elly" },
      { ...spec, commit: "1".repeat(40) },
      { ...spec, env: { A: "b" } },
      { ...spec, settings: "[chat]\n" },
      { ...spec, secrets: ["A"] },
      { ...spec, added: "abc" },
    ];
    expect(new Set(changed.map(digestOfSpec)).size).toBe(changed.length);
    for (const each of changed) expect(digestOfSpec(each)).toMatch(/^[0-9a-f]{16}$/);
  });

  it("does not change with settings that only updates use", () => {
    const same = { ...spec, enabled: false, destroyData: true, startTimeoutSeconds: 5, remote: "/srv/copy" };
    expect(digestOfSpec(same)).toBe(digestOfSpec(spec));
  });
});
