import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { personIdentity, type StackIdentity } from "../../../../components/modal/identity.ts";
import { ensureMachineIdentity } from "../../../../components/modal/machine-identity.ts";
import { ensureMachineKey, knownMachine, publicKeyFile } from "../../../../components/modal/machine-key.ts";

const userId = "0123456789abcdef0123456789abcdef";
const stack: StackIdentity = {
  version: 1,
  stack: "prod",
  userId,
  prefix: "mngr-",
  environment: `mngr-${userId}`,
};

let env: NodeJS.ProcessEnv;
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "machine-"));
  env = { HOME: home, PATH: process.env["PATH"] };
});
afterEach(() => rmSync(home, { recursive: true }));

/** As mngr leaves it on a machine where it was run. */
function mint(id: string): void {
  mkdirSync(join(home, ".mngr", "profiles", "mine"), { recursive: true });
  writeFileSync(join(home, ".mngr", "config.toml"), 'profile = "mine"\n');
  writeFileSync(join(home, ".mngr", "profiles", "mine", "user_id"), id);
}

it("a machine without mngr, or with somebody else's, is not known, and nothing is made", () => {
  expect(knownMachine(stack, env)).toBeUndefined();
  expect(personIdentity(env).userId).toBeUndefined();
  mint("another");
  expect(knownMachine(stack, env)).toBeUndefined();
});

it("the person's own mngr is known, and its key once there is one", async () => {
  mint(userId);
  const hostDir = join(home, ".mngr");
  expect(knownMachine(stack, env)).toEqual({ hostDir, keyFile: undefined });
  const publicKey = await ensureMachineKey(join(hostDir, "profiles", "mine"), env);
  expect(knownMachine(stack, env)).toEqual({ hostDir, keyFile: publicKeyFile(publicKey) });
});

it("a separate profile is found if the user's own has another identity, whatever the shell exports", async () => {
  mint("another");
  const { hostDir, profileDir } = ensureMachineIdentity(stack, env);
  const publicKey = await ensureMachineKey(profileDir, env);
  const exporting = { ...env, MNGR_USER_ID: "another", MNGR_PREFIX: "own-" };
  expect(knownMachine(stack, exporting)).toEqual({ hostDir, keyFile: publicKeyFile(publicKey) });
});
