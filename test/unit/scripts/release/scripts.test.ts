import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const scripts = join(import.meta.dirname, "../../../../scripts");
let folder: string;
let bin: string;
let home: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "release-scripts-"));
  bin = join(folder, "bin");
  home = join(folder, "home");
  for (const each of [bin, home, join(folder, "scripts")]) mkdirSync(each);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A stand-in that records its arguments and its standard input. `fails`: its exit code. */
function standIn(name: string, body = ""): void {
  const log = join(folder, name);
  writeFileSync(
    join(bin, name),
    `#!/bin/bash\nprintf '%s\\n' "$*" >> '${log}.argv'\n[[ -t 0 ]] || cat >> '${log}.stdin'\nprintf '\\n' >> '${log}.stdin'\n${body}\n`,
  );
  chmodSync(join(bin, name), 0o755);
}

const recorded = (name: string) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "");

function run(script: string, args: readonly string[], env: Record<string, string> = {}) {
  const path = `${bin}:/usr/bin:/bin`;
  const { status, stdout, stderr } = spawnSync("bash", [join(scripts, script), ...args], {
    cwd: folder,
    encoding: "utf8",
    input: "",
    env: { PATH: path, HOME: home, ...env },
  });
  return { status, stdout, stderr };
}

describe("every script", () => {
  const all = ["bump_version.sh", "sync_secrets.sh", "bundle_cli_state.sh", "install_claude_native.sh"];
  test.each(all)("%s has help and rejects unknown arguments", (script) => {
    const help = run(script, ["--help"]);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("--dry-run");
    const unknown = run(script, ["--nonsense"]);
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain("unknown argument: --nonsense");
  });
});

describe("bump_version.sh", () => {
  function bump(...args: string[]) {
    cpSync(join(scripts, "bump_version.sh"), join(folder, "scripts/bump_version.sh"));
    const { status, stdout, stderr } = spawnSync("bash", [join(folder, "scripts/bump_version.sh"), ...args], {
      encoding: "utf8",
      env: { PATH: `${bin}:/usr/bin:/bin`, HOME: home },
    });
    return { status, stdout: stdout.trim(), stderr };
  }
  const version = () => readFileSync(join(folder, "VERSION"), "utf8").trim();

  test.each([
    ["micro", "1.4.10"],
    ["baseline", "1.5.0"],
    ["major", "2.0.0"],
  ])("%s", (part, next) => {
    standIn("npm");
    writeFileSync(join(folder, "VERSION"), "1.4.9\n");
    expect(bump(part, "--dry-run").stdout).toBe(next);
    expect(version()).toBe("1.4.9");
    expect(bump(part).stdout).toBe(next);
    expect(version()).toBe(next);
    expect(recorded("npm.argv")).toContain(`version ${next} --no-git-tag-version`);
  });

  test("changes nothing if npm fails, or if VERSION is not a version", () => {
    standIn("npm", "exit 1");
    writeFileSync(join(folder, "VERSION"), "1.4.9\n");
    expect(bump("micro").status).toBe(1);
    expect(version()).toBe("1.4.9");
    writeFileSync(join(folder, "VERSION"), "1.4\n");
    expect(bump("micro").stderr).toContain('VERSION contains "1.4": write X.Y.Z');
  });
});

describe("sync_secrets.sh", () => {
  const secrets = { CLAUDE_CODE_OAUTH_TOKEN: "oauth-4711", GITHUB_TOKEN: "ghp-0815" };
  const everywhere = ["--app", "agent", "--repo", "me/app"];

  test("passes the tokens to both tools only on standard input", () => {
    standIn("flyctl");
    standIn("gh");
    const { status, stdout, stderr } = run("sync_secrets.sh", everywhere, secrets);
    expect(status).toBe(0);
    expect(recorded("flyctl.argv").trim()).toBe("secrets import --app agent");
    expect(recorded("flyctl.stdin")).toContain(
      "CLAUDE_CODE_OAUTH_TOKEN=oauth-4711\nGITHUB_TOKEN=ghp-0815\nHTTP_SERVER_ENABLED=true\n",
    );
    expect(recorded("gh.argv").trim().split("\n")).toEqual([
      "secret set CLAUDE_CODE_OAUTH_TOKEN --repo me/app",
      "secret set AGENT_GITHUB_TOKEN --repo me/app",
    ]);
    expect(recorded("gh.stdin").trim().split("\n")).toEqual(["oauth-4711", "ghp-0815"]);
    expect(stdout + stderr + recorded("flyctl.argv") + recorded("gh.argv")).not.toMatch(/4711|0815/);
  });

  test("says what it would do", () => {
    standIn("flyctl");
    standIn("gh");
    const { status, stdout } = run("sync_secrets.sh", [...everywhere, "--dry-run"], secrets);
    expect(status).toBe(0);
    expect(stdout).toMatch(/would set .* in the Fly app agent\nwould set .* in the GitHub repository me\/app/);
    expect(recorded("flyctl.argv") + recorded("gh.argv")).toBe("");
  });

  test("reports all that is wrong before it begins", () => {
    const { status, stderr } = run("sync_secrets.sh", ["--app", "Bad Name", "--repo", "me"], { GITHUB_TOKEN: "a b" });
    expect(status).toBe(2);
    for (const words of [
      "--app: not",
      "--repo: write",
      "CLAUDE_CODE_OAUTH_TOKEN is not set",
      "GITHUB_TOKEN contains",
      "flyctl is not installed",
      "gh is not installed",
    ])
      expect(stderr).toContain(words);
    expect(stderr).not.toContain("a b");
  });

  test("tries the second tool after the first failed, and reports which failed", () => {
    standIn("flyctl", "exit 1");
    standIn("gh");
    const { status, stdout, stderr } = run("sync_secrets.sh", everywhere, secrets);
    expect(status).toBe(1);
    expect(stdout.trim()).toBe("the GitHub repository me/app has both tokens");
    expect(stderr).toContain("the Fly app agent: is it there");
  });
});

test("no script with pipefail pipes into a program that stops reading early, whose writer then fails", () => {
  const root = join(scripts, "..");
  const listed = spawnSync("git", ["ls-files", "-z", "*.sh", ".github", ".devcontainer"], {
    cwd: root,
    encoding: "utf8",
  });
  const files = listed.stdout.split("\0").filter((file) => file !== "" && existsSync(join(root, file)));
  const all = files.map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
  expect(all.length).toBeGreaterThan(5);
  const early = all.filter(({ text }) => /pipefail/.test(text) && /[^|]\|\s*(grep -[a-zA-Z]*q|head\b)/.test(text));
  expect(early.map(({ file }) => file)).toEqual([]);
});

describe("bundle_cli_state.sh", () => {
  const bundle = () => join(folder, "bundles/cli-state.tar.gz");

  function loggedIn(): void {
    for (const [file, text] of Object.entries({
      ".claude/.credentials.json": "secret",
      ".claude/projects/p/talk.jsonl": "private",
      ".codex/auth.json": "secret",
      ".codex/sessions/s.jsonl": "private",
    })) {
      mkdirSync(join(home, file, ".."), { recursive: true });
      writeFileSync(join(home, file), text);
    }
  }

  test("packs the logins for one user, without conversations, and restores them", () => {
    loggedIn();
    expect(run("bundle_cli_state.sh", [])).toMatchObject({ status: 0 });
    expect(statSync(bundle()).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, "bundles"))).toEqual(["cli-state.tar.gz"]);
    const to = join(folder, "machine");
    expect(run("bundle_cli_state.sh", ["--restore", bundle(), "--to", to])).toMatchObject({ status: 0 });
    expect(readFileSync(join(to, ".claude/.credentials.json"), "utf8")).toBe("secret");
    expect(statSync(join(to, ".claude/.credentials.json")).mode & 0o077).toBe(0);
    expect(existsSync(join(to, ".claude/projects"))).toBe(false);
    expect(readdirSync(to).toSorted()).toEqual([".claude", ".codex"]);
  });

  test("replaces a login only with --force, and keeps the former one", () => {
    loggedIn();
    run("bundle_cli_state.sh", []);
    writeFileSync(join(home, ".claude/.credentials.json"), "newer");
    const refused = run("bundle_cli_state.sh", ["--restore", bundle()]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("would be replaced");
    expect(run("bundle_cli_state.sh", ["--restore", bundle(), "--force"]).status).toBe(0);
    expect(readFileSync(join(home, ".claude/.credentials.json"), "utf8")).toBe("secret");
    expect(readFileSync(join(home, ".claude.before-restore/.credentials.json"), "utf8")).toBe("newer");
  });

  test("unpacks only what it packs", () => {
    const restore = (...entries: string[]) => {
      const hostile = join(folder, "hostile.tar.gz");
      spawnSync("tar", ["-czPf", hostile, "-C", folder, ...entries]);
      return run("bundle_cli_state.sh", ["--restore", hostile, "--to", join(folder, "target")]);
    };
    mkdirSync(join(folder, ".claude"));
    symlinkSync("/etc", join(folder, ".claude/link"));
    expect(restore(".claude").stderr).toContain("contains links");
    writeFileSync(join(folder, "other"), "");
    expect(restore("other").stderr).toContain("more than .claude and .codex");
    expect(restore(join(folder, "other")).status).toBe(1);
    expect(existsSync(join(folder, "target"))).toBe(false);
    writeFileSync(join(folder, "broken.tar.gz"), "not a tar file");
    expect(run("bundle_cli_state.sh", ["--restore", join(folder, "broken.tar.gz")]).stderr).toContain(
      "is not a bundle",
    );
  });

  test("refuses a link however many files are listed after it", () => {
    mkdirSync(join(folder, ".claude"));
    symlinkSync("/etc", join(folder, ".claude/link"));
    const files = Array.from({ length: 3000 }, (_, index) => `.claude/${"x".repeat(60)}${index}`);
    for (const file of files) writeFileSync(join(folder, file), "");
    const hostile = join(folder, "hostile.tar.gz");
    spawnSync("tar", ["-czf", hostile, "-C", folder, ".claude/link", ...files]);
    const refused = run("bundle_cli_state.sh", ["--restore", hostile, "--to", join(folder, "target")]);
    expect(refused.stderr).toContain("contains links or devices");
    expect(existsSync(join(folder, "target"))).toBe(false);
  });

  test("needs a login, and a dry run writes nothing", () => {
    expect(run("bundle_cli_state.sh", []).stderr).toContain("log in first");
    loggedIn();
    const { stdout } = run("bundle_cli_state.sh", ["--dry-run"]);
    expect(stdout).toContain(".codex/auth.json");
    expect(stdout).not.toContain("sessions");
    expect(existsSync(bundle())).toBe(false);
  });
});

describe("install_claude_native.sh", () => {
  /** What the downloaded installer does. */
  function installer(body: string): void {
    standIn(
      "curl",
      `while (($# > 0)); do [[ $1 != -o ]] || out=$2; shift; done; cat > "$out" <<'INSTALLER'\n${body}\nINSTALLER`,
    );
  }
  const claude = () => join(home, ".local/bin/claude");
  const writes = (words: string) =>
    `mkdir -p ~/.local/bin; printf '#!/bin/bash\\necho ${words}\\n' > ~/.local/bin/claude; chmod +x ~/.local/bin/claude`;
  const path = () => ({ PATH: `${bin}:${join(home, ".local/bin")}:/usr/bin:/bin` });

  function existing(): void {
    mkdirSync(join(home, ".local/bin"), { recursive: true });
    writeFileSync(claude(), "#!/bin/bash\necho old\n");
    chmodSync(claude(), 0o755);
  }

  test("installs the version that was asked for", () => {
    installer(`${writes("new $1")}`.replace("new $1", `new "$1"`));
    const { status, stdout } = run("install_claude_native.sh", ["2.1.0"], path());
    expect(status).toBe(0);
    expect(stdout).toContain(`installed ${claude()}: new`);
  });

  test.each([
    ["the installer fails", "rm -f ~/.local/bin/claude; exit 1"],
    ["what it installed does not run", "printf '#!/bin/bash\\nexit 3\\n' > ~/.local/bin/claude"],
    ["it is interrupted", "rm -f ~/.local/bin/claude; kill -TERM $PPID"],
  ])("puts the former one back if %s", (_, body) => {
    existing();
    installer(body);
    const { status, stderr } = run("install_claude_native.sh", [], path());
    expect(status).not.toBe(0);
    expect(stderr).toContain("was put back");
    expect(spawnSync(claude(), { encoding: "utf8" }).stdout).toBe("old\n");
  });

  test("runs nothing of a download that fails", () => {
    existing();
    standIn("curl", "exit 22");
    const { status, stderr } = run("install_claude_native.sh", [], path());
    expect(status).toBe(1);
    expect(stderr).toContain("can't be downloaded");
    expect(spawnSync(claude(), { encoding: "utf8" }).stdout).toBe("old\n");
  });

  test("a dry run downloads nothing", () => {
    standIn("curl");
    existing();
    const { status, stdout } = run("install_claude_native.sh", ["--dry-run"], path());
    expect(status).toBe(0);
    expect(stdout).toContain("would keep");
    expect(recorded("curl.argv")).toBe("");
  });
});
