import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Command, CommanderError } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { addChangeling } from "../../../../components/fleet/edit-tables.ts";
import { confirmed, plannedEdit, writeEdit } from "../../../../scripts/changeling/fleet-file/edit-fleet.ts";
import { unifiedDiff } from "../../../../scripts/changeling/terminal/unified-diff.ts";

let home: string;
let file: string;
const stack = { name: "prod" };

/** A machine with a `pulumi` that knows one stack's settings. */
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "edit-"));
  file = join(home, "fleet.toml");
  const settings = JSON.stringify({ "changelings:config": { value: file } });
  writeFileSync(join(home, "pulumi"), `#!/bin/sh\necho '${settings}'\n`, { mode: 0o755 });
  vi.stubEnv("PATH", [home, process.env["PATH"]].join(delimiter));
  vi.stubEnv("HOME", home);
  vi.stubEnv("MNGR_HOST_DIR", join(home, ".mngr"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

const addChat = (text: string) => addChangeling(text, "chat", { kind: "web", agent_type: "chat" });

describe("an edit of the fleet file", () => {
  it("is checked and shown before it is written, and then keeps the file's mode", async () => {
    writeFileSync(file, "# mine\n");
    chmodSync(file, 0o640);
    const edit = await plannedEdit(stack, ["chat"], addChat);
    expect(edit.diff).toBe(
      `--- ${file}\n+++ ${file}\n@@ -1,1 +1,5 @@\n # mine\n+\n+[changelings.chat]\n+kind = "web"\n+agent_type = "chat"`,
    );
    expect(edit.fleet.changelings).toMatchObject([{ name: "chat", kind: "web" }]);
    expect(readFileSync(file, "utf8")).toBe("# mine\n");
    writeEdit(edit);
    expect(readFileSync(file, "utf8")).toBe('# mine\n\n[changelings.chat]\nkind = "web"\nagent_type = "chat"\n');
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it("creates a missing file, readable only by the user", async () => {
    writeEdit(await plannedEdit(stack, ["chat"], addChat));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("changes nothing if the new text has errors, and reports them all with their lines", async () => {
    writeFileSync(
      file,
      '[changelings.chat]\nkind = "web"\nagent_type = "chat"\nbrunch = "x"\n[changelings.b]\nfoo = 1\n',
    );
    const before = readFileSync(file, "utf8");
    await expect(plannedEdit(stack, ["chat"], (text) => text.replace('"x"', "1"))).rejects.toThrow(
      /^with this change the fleet file has errors; nothing was written:\n.*:4: .*brunch.*:6: .*foo/s,
    );
    await expect(plannedEdit(stack, ["chat"], (text) => text)).rejects.toThrow(/^the fleet file has errors/);
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  it("is not written over what somebody else wrote in the meantime", async () => {
    const edit = await plannedEdit(stack, ["chat"], addChat);
    writeFileSync(file, "# theirs\n");
    expect(() => writeEdit(edit)).toThrow(`${file} was changed in the meantime; nothing was written, run it again`);
    expect(readFileSync(file, "utf8")).toBe("# theirs\n");
  });

  it("does not write a file that does not change", async () => {
    writeEdit(await plannedEdit(stack, ["chat"], (text) => text));
    expect(existsSync(file)).toBe(false);
  });

  it("names a required secret that nobody sets, before anything is written", async () => {
    vi.stubEnv("ANTHROPIC_API_KEY", "");
    vi.stubEnv("CLAUDE_CODE_OAUTH_TOKEN", "");
    const add = (text: string) => addChangeling(text, "elena", { kind: "web", agent_type: "claude" });
    await expect(plannedEdit(stack, ["elena"], add)).rejects.toThrow(
      /^elena needs ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN; nothing was written\n/,
    );
    expect((await plannedEdit(stack, ["chat"], (text) => addChat(add(text)))).fleet.changelings).toHaveLength(2);
  });
});

describe("confirmed", () => {
  it("is wrong use without --yes and without a terminal to ask on", async () => {
    const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
    expect(await confirmed("Do it?", command, { yes: true })).toBe(true);
    await expect(confirmed("Do it?", command, {})).rejects.toThrow(CommanderError);
  });
});

describe("unifiedDiff", () => {
  it("says nothing of nothing", () => {
    expect(unifiedDiff("/f", "a\n", "a\n")).toBe("");
  });

  it("shows lines around the change, and masks what looks like a secret", () => {
    const key = `sk-ant-api03-${"x".repeat(40)}`;
    const diff = unifiedDiff("/f", `a = 1\nkey = "${key}"\n`, `a = 2\nkey = "${key}"\n`);
    expect(diff).toMatch(/^--- \/f\n\+\+\+ \/f\n@@ -1,2 \+1,2 @@\n-a = 1\n\+a = 2\n key = /);
    expect(diff).not.toContain(key);
  });
});
