import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { Repository } from "../../support/repository.ts";
import { ann, commitReport, nothingChanged, report, runAgent, script } from "../../support/todo-ledger.ts";

describe("commits", () => {
  it("have git's identity, or that of changelings if git has none", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    const who = () => repository.git("log", "-1", "--format=%an <%ae> %cn <%ce>");
    // What git would guess is no identity.
    commitReport(repository, { EMAIL: "root@example.com" });
    expect(who()).toBe("changelings <changelings@localhost> changelings <changelings@localhost>");
    repository.git("reset", "--quiet", "--hard", "HEAD^");
    repository.git("config", "user.name", "Me");
    repository.git("config", "user.email", "me@example.com");
    commitReport(repository);
    expect(who()).toBe("Me <me@example.com> Me <me@example.com>");
    repository.git("reset", "--quiet", "--hard", "HEAD^");
    commitReport(repository, { GIT_AUTHOR_NAME: "Given", GIT_AUTHOR_EMAIL: "given@example.com" });
    expect(who()).toBe("Given <given@example.com> Me <me@example.com>");
  });

  it("contain only the report, whatever else changed", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    repository.write({ "staged.c": "int s;\n", "a.c": "int changed;\n" });
    repository.git("add", "staged.c");
    commitReport(repository);
    expect(repository.git("show", "--name-only", "--format=", "HEAD")).toBe("TODO-LEDGER.md");
    expect(repository.git("status", "--porcelain")).toBe(" M a.c\nA  staged.c");
  });

  it("are on the current branch, and no other ref moves", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    const main = repository.git("rev-parse", "main");
    repository.git("switch", "--quiet", "--create", "changelings/x");
    const { stdout } = runAgent(repository);
    const head = repository.git("rev-parse", "--short", "HEAD");
    expect(stdout).toBe(
      `todo-ledger: committed ${head} on changelings/x\nUpdate the TODO ledger: 1 open, 1 new, 0 resolved\n`,
    );
    expect(repository.git("rev-parse", "main")).toBe(main);
  });

  it("are not made if nothing changed", () => {
    using empty = new Repository();
    expect(runAgent(empty)).toEqual({
      code: 0,
      stdout: "todo-ledger: the repository has no commit yet: nothing to list\n",
      stderr: "",
    });
    empty.commit({ "a.c": "int x;\n" }, ann);
    expect(runAgent(empty)).toEqual({ code: 0, stdout: nothingChanged, stderr: "" });
    expect(empty.git("rev-list", "--count", "HEAD")).toBe("1");
    expect(empty.git("status", "--porcelain")).toBe("");
  });
});

describe("errors have a remedy, and fail the run", () => {
  const fails = (repository: Repository, message: string | RegExp, env: NodeJS.ProcessEnv = {}) => {
    const ended = runAgent(repository, env);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toBe("");
    if (typeof message === "string") expect(ended.stderr).toBe(`todo-ledger: ${message}\n`);
    else expect(ended.stderr).toMatch(message);
  };

  it("no repository", () => {
    using repository = new Repository();
    const ended = repository.run("/bin/sh", ["-c", `cd .. && ${script.replace("#!/bin/sh\n", "")}`]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/todo-ledger: this is not a git work tree; run it inside one\n$/);
  });

  it("a detached HEAD", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    repository.git("switch", "--quiet", "--detach");
    fails(repository, "HEAD is detached; check out a branch for the report, for instance: git switch -c todo-ledger");
  });

  it("somebody else's report", () => {
    using repository = new Repository();
    repository.commit({ "TODO-LEDGER.md": "mine\n", "a.c": "// TODO x\n" }, ann);
    fails(
      repository,
      "TODO-LEDGER.md was not written by todo-ledger; rename it, or name another file in TODO_LEDGER_FILE",
    );
    expect(report(repository)).toBe("mine\n");
  });

  it("a link or a folder at the report's path", () => {
    using repository = new Repository();
    repository.commit({ "docs/a.md": "x\n", "a.c": "// TODO x\n" }, ann);
    symlinkSync("docs/a.md", join(repository.folder, "TODO-LEDGER.md"));
    repository.commit({}, ann);
    fails(repository, /TODO-LEDGER\.md was not written by todo-ledger/);
    fails(repository, /docs was not written by todo-ledger/, { TODO_LEDGER_FILE: "docs" });
    expect(readFileSync(join(repository.folder, "docs/a.md"), "utf8")).toBe("x\n");
  });

  it("a report that has uncommitted changes, or is ignored", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    repository.write({ "TODO-LEDGER.md": "draft\n" });
    const message =
      "TODO-LEDGER.md is ignored or has uncommitted changes; commit or revert them, or name another file in TODO_LEDGER_FILE";
    fails(repository, message);
    repository.write({ ".git/info/exclude": "TODO-LEDGER.md\n" });
    fails(repository, message);
  });

  it.each(["/tmp/x.md", "../x.md", "a/../../x.md", ".git/config", "a/", "."])("a report at %s", (file) => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    fails(repository, `TODO_LEDGER_FILE must name a file inside the repository, such as docs/TODO.md, not ${file}`, {
      TODO_LEDGER_FILE: file,
    });
  });

  it("a hook that rejects the commit", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    repository.write({ ".git/hooks/pre-commit": "#!/bin/sh\necho no >&2\nexit 1\n" });
    chmodSync(join(repository.folder, ".git/hooks/pre-commit"), 0o755);
    fails(repository, /^no\ntodo-ledger: the report could not be committed on main\n$/);
  });

  it("a git that fails in the middle", () => {
    using repository = new Repository();
    repository.commit({ "a.c": "// TODO x\n" }, ann);
    const bin = join(dirname(repository.folder), "bin");
    mkdirSync(bin);
    for (const [command, message] of [
      ["blame", "git blame failed"],
      ["grep", "git grep failed"],
    ] as const) {
      const fake = `#!/bin/sh\ncase " $* " in *" ${command} "*) exit 128 ;; esac\nPATH=$REAL_PATH exec git "$@"\n`;
      writeFileSync(join(bin, "git"), fake, { mode: 0o755 });
      fails(repository, message, { PATH: `${bin}:${process.env["PATH"]}`, REAL_PATH: process.env["PATH"] });
      expect(existsSync(join(repository.folder, "TODO-LEDGER.md"))).toBe(false);
    }
  });
});
