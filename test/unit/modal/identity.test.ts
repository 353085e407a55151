import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { personEnvironment, personIdentity, portableSettings } from "../../../components/modal/identity.ts";
import { ensureMachineIdentity, ensurePersonIdentity } from "../../../components/modal/machine-identity.ts";
import { ensureMachineKey, publicKeyFile } from "../../../components/modal/machine-key.ts";

let home: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "identity-"));
  env = { HOME: home, PATH: process.env["PATH"] };
});
afterEach(() => rmSync(home, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), text);
}

const read = (path: string) => readFileSync(join(home, path), "utf8");

/** A person who has used mngr. */
function usedMngr(settings = ""): void {
  put(".mngr/config.toml", 'profile = "p1"\n');
  put(".mngr/profiles/p1/user_id", "me\n");
  put(".mngr/profiles/p1/settings.toml", settings);
}

const stack = { stack: "dev", userId: "stack-id", prefix: "mngr-", environment: "mngr-stack-id" };

describe("personIdentity", () => {
  it("makes nothing where mngr was never run", () => {
    const person = personIdentity(env);
    expect(person).toEqual({
      userId: undefined,
      prefix: "mngr-",
      hostDir: join(home, ".mngr"),
      profile: undefined,
      profileDir: undefined,
    });
    expect(personEnvironment(person)).toBeUndefined();
    expect(readdirSync(home)).toEqual([]);
  });

  it.each<[string, () => NodeJS.ProcessEnv, string]>([
    ["the profile's", () => ({}), "mngr-me"],
    ["with the prefix of its settings", () => usedMngr('prefix = "own-"\n') ?? {}, "own-me"],
    ["with the prefix of the environment", () => ({ MNGR_PREFIX: "env-" }), "env-me"],
    ["that of the provider's settings", () => usedMngr('[providers.modal]\nuser_id = "shared"\n') ?? {}, "mngr-shared"],
    ["of another host dir", () => ({ MNGR_HOST_DIR: join(home, "none"), MNGR_USER_ID: "given" }), "mngr-given"],
    ["of another root name", () => ({ MNGR_ROOT_NAME: "other", MNGR_USER_ID: "given" }), "other-given"],
  ])("names the environment: %s", (_, given, environment) => {
    usedMngr();
    const extra = given();
    expect(personEnvironment(personIdentity({ ...env, ...extra }))).toBe(environment);
  });

  it("is another profile's, among the person's own, when the fleet names one", () => {
    usedMngr();
    put(".mngr/profiles/work/user_id", "worker");
    const person = personIdentity(env, { profile: "work" });
    expect(person).toMatchObject({ userId: "worker", hostDir: join(home, ".mngr-work"), profile: "work" });
  });
});

describe("portableSettings", () => {
  it("are what an app's mngr needs, without tokens and what belongs to this machine", () => {
    usedMngr(`prefix = "own-"
[agent_types.elf]
parent_type = "claude"
[create_templates.big]
build_arg = ["memory=8"]
[commands.create]
connect = true
[providers.modal]
token_id = "ak-1"
token_secret = "as-1"
modal_profile = "work"
user_id = "shared"
is_enabled = false
default_cpu = 2.5
[providers.docker]
host = "x"
`);
    const text = portableSettings(personIdentity(env));
    expect(parse(text)).toEqual({
      agent_types: { elf: { parent_type: "claude" } },
      create_templates: { big: { build_arg: ["memory=8"] } },
      providers: { modal: { default_cpu: 2.5 } },
    });
  });

  it.each(["", "broken [", "agent_types = 7\n", '[providers.modal]\ntoken_id = "x"\n'])(
    "are none in %j",
    (settings) => {
      usedMngr(settings);
      expect(portableSettings(personIdentity(env))).toBe("");
    },
  );
});

describe("ensurePersonIdentity", () => {
  it("mints one where mngr finds it, once", () => {
    const minted = ensurePersonIdentity(env);
    expect(minted.userId).toMatch(/^[0-9a-f]{32}$/);
    expect(read(`.mngr/profiles/${minted.profile}/user_id`)).toBe(minted.userId);
    expect(statSync(join(minted.profileDir ?? "", "user_id")).mode & 0o777).toBe(0o600);
    expect(ensurePersonIdentity(env)).toEqual(minted);
    expect(personIdentity(env)).toEqual(minted);
    expect(readdirSync(join(home, ".mngr")).sort()).toEqual(["config.toml", "profiles"]);
  });

  it("adopts what is there", () => {
    usedMngr();
    expect(ensurePersonIdentity(env)).toMatchObject({ userId: "me", profile: "p1" });
  });

  it("repairs a config that names no profile", () => {
    put(".mngr/config.toml", "");
    const { profile } = ensurePersonIdentity(env);
    expect(parse(read(".mngr/config.toml"))).toEqual({ profile });
  });

  it("is kept in the profile that the fleet names, which its host dir shares", () => {
    const { userId, hostDir } = ensurePersonIdentity(env, { profile: "work" });
    expect(read(".mngr/profiles/work/user_id")).toBe(userId);
    expect(readFileSync(join(hostDir, "profiles", "work", "user_id"), "utf8")).toBe(userId);
    expect(parse(readFileSync(join(hostDir, "config.toml"), "utf8"))).toEqual({ profile: "work" });
  });
});

describe("ensureMachineIdentity", () => {
  it("gives a machine without identity the stack's", () => {
    const machine = ensureMachineIdentity(stack, env);
    expect(machine).toMatchObject({ hostDir: join(home, ".mngr"), mngr: "mngr" });
    expect(personEnvironment(personIdentity(env))).toBe("mngr-stack-id");
    expect(ensureMachineIdentity(stack, env)).toEqual(machine);
  });

  it("takes the person's own when it is the stack's", () => {
    usedMngr();
    const machine = ensureMachineIdentity({ ...stack, userId: "me", environment: "mngr-me" }, env);
    expect(machine).toEqual({
      hostDir: join(home, ".mngr"),
      profileDir: join(home, ".mngr", "profiles", "p1"),
      mngr: "mngr",
    });
  });

  it("puts the stack's aside where the person's is another, and leaves that alone", () => {
    usedMngr();
    const machine = ensureMachineIdentity({ ...stack, prefix: "own-", environment: "own-stack-id" }, env);
    expect(machine.mngr).toBe(`MNGR_HOST_DIR=${home}/.mngr-dev mngr`);
    expect(personEnvironment(personIdentity({ ...env, MNGR_HOST_DIR: machine.hostDir }))).toBe("own-stack-id");
    expect(personEnvironment(personIdentity(env))).toBe("mngr-me");
    expect(readdirSync(join(home, ".mngr", "profiles"))).toEqual(["p1"]);
  });

  it("says which variables of the shell would be in the way", () => {
    const given = { ...env, MNGR_USER_ID: "me", MNGR_PREFIX: "x-" };
    expect(ensureMachineIdentity(stack, given).mngr).toBe(
      `env -u MNGR_PREFIX -u MNGR_USER_ID MNGR_HOST_DIR=${home}/.mngr-dev mngr`,
    );
  });
});

describe("ensureMachineKey", () => {
  it("creates a key pair where mngr looks for it, once, and repairs half a pair", async () => {
    const profileDir = join(home, "profile");
    const [one, other] = await Promise.all([ensureMachineKey(profileDir, env), ensureMachineKey(profileDir, env)]);
    expect(one).toMatch(/^ssh-ed25519 \S+ changelings@/);
    expect(other.split(" ")[1]).toBe(one.split(" ")[1]);
    const keys = join(profileDir, "providers", "modal", "modal", "keys");
    expect(readdirSync(keys).sort()).toEqual(["modal_ssh_key", "modal_ssh_key.pub"]);
    expect(statSync(join(keys, "modal_ssh_key")).mode & 0o777).toBe(0o600);
    rmSync(join(keys, "modal_ssh_key.pub"));
    const repaired = await ensureMachineKey(profileDir, env);
    expect(publicKeyFile(repaired)).toBe(publicKeyFile(one));
  });
});

describe("publicKeyFile", () => {
  it("is of the key, not of its comment", () => {
    const file = publicKeyFile("ssh-ed25519 AAAA me@here");
    expect(file).toMatch(/^[0-9a-f]{16}\.pub$/);
    expect(publicKeyFile("ssh-ed25519  AAAA me@there\n")).toBe(file);
    expect(publicKeyFile("ssh-ed25519 AAAB me@here")).not.toBe(file);
  });
});
