import { describe, expect, it } from "vitest";
import { changelingOf } from "../../../components/cron/from-program.ts";
import { isReserved, missingSecrets, secretNames } from "../../../components/fleet/secrets.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { usualSettings } from "../../support/fleet-sandbox.ts";

const talks = changelingOf("fixme-fairy", { repo: "/app" });
const runs = changelingOf("todo-ledger", { repo: "/app" });
const lists = changelingOf("lists", { repo: "/app", agentType: "claude", secrets: ["NPM_TOKEN", "GITHUB_TOKEN"] });
const none = changelingOf("none", { repo: "/app", agentType: "claude", secrets: [] });

function fleet(...changelings: Fleet["changelings"]): Fleet {
  return { file: "/config.toml", mngrProfile: undefined, changelings, settings: usualSettings };
}

describe("secrets", () => {
  it("that are required: all that a list names, else a key for the model", () => {
    expect(talks.requiredSecrets).toEqual([["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]]);
    expect(runs.requiredSecrets).toEqual([]);
    expect(lists.requiredSecrets).toEqual([["NPM_TOKEN"], ["GITHUB_TOKEN"]]);
    expect(none.requiredSecrets).toEqual([]);
  });

  it("that are required on Modal, where git has no access of the person's", () => {
    const token = ["GITHUB_TOKEN"];
    const onModal = (repo: string, more = {}) =>
      changelingOf("fixme-fairy", { repo, provider: "modal", ...more }).requiredSecrets;
    expect(onModal("git@github.com:a/b.git")).toEqual([token, ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]]);
    expect(onModal("https://github.com/a/b", { agentType: "todo-ledger" })).toEqual([token]);
    expect(onModal("https://github.com/a/b", { secrets: [] })).toEqual([]);
    for (const host of ["127.0.0.1:4000", "localhost", "[::1]:4000"]) {
      expect(onModal(`http://${host}/a/b.git`, { agentType: "todo-ledger" })).toEqual([]);
    }
  });

  it("that are handed on when they are set", () => {
    expect(secretNames(talks)).toEqual(["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]);
    expect(secretNames(runs)).toEqual(["GITHUB_TOKEN", "ANTHROPIC_API_KEY"]);
    expect(secretNames(lists)).toEqual(["NPM_TOKEN", "GITHUB_TOKEN"]);
  });

  it("that are missing, each with who needs it", () => {
    const all = fleet(lists, talks, runs, none);
    const everything = [
      { changeling: "lists", names: ["NPM_TOKEN"] },
      { changeling: "lists", names: ["GITHUB_TOKEN"] },
      { changeling: "fixme-fairy", names: ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"] },
    ];
    expect(missingSecrets(all, {})).toEqual(everything);
    expect(missingSecrets(all, { NPM_TOKEN: "", GITHUB_TOKEN: undefined })).toEqual(everything);
    expect(missingSecrets(all, new Set())).toEqual(everything);
    expect(missingSecrets(all, new Set(["CLAUDE_CODE_OAUTH_TOKEN", "NPM_TOKEN"]))).toEqual([everything[1]]);
    expect(missingSecrets(all, { ANTHROPIC_API_KEY: "k", NPM_TOKEN: "n", GITHUB_TOKEN: "g" })).toEqual([]);
  });

  it("that a paused changeling misses don't keep it from being paused", () => {
    expect(missingSecrets(fleet({ ...talks, enabled: false }), {})).toEqual([]);
  });
});

describe("reserved variables", () => {
  it.each([
    "PATH",
    "HOME",
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "NODE_OPTIONS",
    "BASH_ENV",
    "PYTHONPATH",
    "MNGR_PREFIX",
    "MNG_AGENT_STATE_DIR",
    "MODAL_TOKEN_SECRET",
    "PULUMI_CONFIG_PASSPHRASE",
    "CHANGELINGS_CACHE",
    "CHANGELING_SPEC",
    "GIT_DIR",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_COUNT",
  ])("%s", (name) => expect(isReserved(name)).toBe(true));

  it.each(["GITHUB_TOKEN", "GH_TOKEN", "ANTHROPIC_API_KEY", "GIT_AUTHOR_NAME", "PATHS", "HTTP_PROXY", "LDAP_PASSWORD"])(
    "not %s",
    (name) => expect(isReserved(name)).toBe(false),
  );
});
