import { describe, expect, it } from "vitest";
import { ChangelingOptionsError } from "../../../components/fleet/program-options.ts";
import { missingSecrets, secretNames } from "../../../components/fleet/secrets.ts";
import { type WebChangelingOptions, webOf } from "../../../components/web/from-program.ts";
import { Sandbox, usualSettings, webs } from "../../support/fleet-sandbox.ts";

describe("secrets of a web changeling", () => {
  const claude = webOf("elena", { agentType: "elena-code" });
  const lists = webOf("lists", { agentType: "elena-code", secrets: ["A"] });

  it("are required if listed; otherwise only Claude needs a key, and no agent a token", () => {
    const keys = ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"];
    const far = webOf("far", { agentType: "claude", provider: "modal" });
    expect([claude, lists, webOf("chat", {}), far].map((each) => each.requiredSecrets)).toEqual([
      [keys],
      [["A"]],
      [],
      [keys],
    ]);
    expect([claude, lists, webOf("chat", {})].map(secretNames)).toEqual([
      ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"],
      ["A"],
      ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"],
    ]);
    const fleet = {
      file: "/f.toml",
      mngrProfile: undefined,
      settings: usualSettings,
      changelings: [claude, lists],
    };
    expect(missingSecrets(fleet, { A: "x" })).toEqual([{ changeling: "elena", names: keys }]);
  });
});

describe("a web changeling from a program", () => {
  const problemsOf = (name: string, options: WebChangelingOptions) => {
    try {
      webOf(name, options);
    } catch (error) {
      if (error instanceof ChangelingOptionsError) return error.problems;
      throw error;
    }
    return [];
  };

  it("has the defaults of the fleet file, and is the same as in a file with all options", async () => {
    using sandbox = new Sandbox();
    sandbox.repo("own");
    sandbox.repo("bare.git");
    sandbox.write("own/.mngr/settings.toml", '[agent_types.mine]\nparent_type = "claude"\n');
    sandbox.write("notes/style.md", "");
    const chat = await sandbox.load('[changelings.chat]\nkind = "web"');
    expect(webOf("chat", {})).toEqual(webs(chat.fleet)[0]);
    const { fleet, diagnostics } = await sandbox.load(
      `[changelings.a]\nkind = "web"\nsource = "own"\nagent_type = "mine"\nadd_paths = ["notes:docs"]\ndata = "~/a"\nsecrets = []\nsettings = { watchers = { event_poll_interval_seconds = 9 } }\nremote = "bare.git"`,
    );
    expect(sandbox.words(diagnostics)).toEqual([]);
    const [declared] = webs(fleet);
    if (declared === undefined) throw new Error("none was declared");
    const { name, kind: _, secretsAreExplicit, ...options } = declared;
    expect(secretsAreExplicit).toBe(true);
    expect(webOf(name, options)).toEqual(declared);
    const addPaths = [`${sandbox.folder}/notes:docs`];
    expect(webOf(name, { ...options, addPaths })).toEqual(declared);
  });

  it("reports all errors together, with the program's names", () => {
    expect(
      problemsOf("Chat", {
        addPaths: ["a"],
        data: "here",
        startTimeoutSeconds: 1,
        secrets: ["PATH"],
        buildArgs: ["cpu=1"],
      }),
    ).toEqual([
      {
        option: "name",
        reason:
          '"Chat" is not a valid name for a changeling: a lower-case letter, then up to 39 lower-case letters, digits or -; write [changelings.chat]',
      },
      { option: "startTimeoutSeconds", reason: "1 is too small; write 5 seconds or more" },
      {
        option: "buildArgs",
        reason:
          'the provider "local" takes no build arguments: it builds no image or host; remove the line, or write build_args = []',
      },
      {
        option: "addPaths[0]",
        reason: '"a" is not SRC:DEST; write "SRC:DEST", for instance "~/notes/style.md:docs/style.md"',
      },
      { option: "data", reason: '"here" is not an absolute path; write one such as data = "~/elena"' },
      {
        option: "secrets[0]",
        reason: "PATH is reserved: it configures the programs that run the agent; use another name",
      },
    ]);
    expect(problemsOf("chat", { data: "/" })).toEqual([
      { option: "data", reason: '/ contains more than its data; write a separate folder, such as data = "~/elena"' },
    ]);
  });
});
