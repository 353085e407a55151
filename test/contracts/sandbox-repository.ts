import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sandboxManager } from "../../components/sandbox/manager.ts";
import { type Sandbox, SandboxError, type SandboxProvider } from "../../components/sandbox/provider.ts";
import type { RunningSandbox } from "../../components/sandbox/running-sandbox.ts";
import { repoPath, type SandboxSpec } from "../../components/sandbox/spec.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { hostileBranch, hostileRepository } from "../support/hostile-repository.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
const encoded = Buffer.from(`x-access-token:${token}`).toString("base64");

export interface RepositoryContract {
  /** Opens the provider, whose sandboxes may connect to this port of the host's loopback. */
  open(port: number): Promise<{ provider: SandboxProvider; spec: Partial<SandboxSpec> }>;
}

/** What must hold of a clone of a hostile repository with a token, for each provider. */
export function testRepository({ open }: RepositoryContract): void {
  describe("a private, hostile repository", () => {
    let server: GitServer;
    let provider: SandboxProvider;
    let spec: SandboxSpec;
    let running: RunningSandbox;
    let sandbox: Sandbox;
    const start = (secret: string | undefined, own: Partial<SandboxSpec> = {}) =>
      sandboxManager({ installation: "test", provider: async () => provider }).start(
        { ...spec, ...own },
        { sessionId: "hostile", secrets: secret === undefined ? {} : { GITHUB_TOKEN: secret } },
      );
    const sh = async (script: string, env: Record<string, string> = {}) => {
      const { code, stdout, stderr } = await sandbox.exec(["sh", "-c", script], {
        timeoutSeconds: 60,
        cwd: repoPath(spec),
        env,
      });
      return { code, text: stdout + stderr };
    };
    const ran = async () => (await sh("test -e /tmp/ran")).code === 0;

    beforeAll(async () => {
      server = await startGitServer({ token });
      using repository = hostileRepository();
      server.create("site", repository.folder);
      const opened = await open(server.port);
      provider = opened.provider;
      spec = sandboxSpec({ url: server.url("site"), branch: hostileBranch, ...opened.spec });
      running = await start(token);
      const found = await provider.open(running.sandboxId);
      if (found === undefined) throw new Error("the sandbox is gone");
      sandbox = found;
    });
    afterAll(async () => {
      await running?.terminate();
      await server?.stop();
    });

    test("is cloned with the declared branch, and runs nothing", async () => {
      expect(await running.currentBranch()).toBe(hostileBranch);
      expect((await sh("git status --porcelain --ignore-submodules=all && cat README.md")).text).toBe(
        "# Nothing to see\n",
      );
      expect(await ran()).toBe(false);
    });

    test("fetches no submodule and no large file, and asks no other server", async () => {
      expect((await sh("ls -A passwd run option; cat large.bin")).text).toContain("git-lfs.github.com/spec/v1");
      expect((await sh("ls -A passwd run option | grep -v :")).text.trim()).toBe("");
      expect(new Set(server.requests.map(({ path }) => path.split("/")[1]))).toEqual(new Set(["site.git"]));
    });

    test("leaves the token in no file, and in no program's arguments or environment", async () => {
      const places = "/workspace /root /tmp /app /etc/gitconfig";
      for (const text of [token, encoded])
        expect((await sh(`grep -rlF "$TEXT" ${places} 2>/dev/null`, { TEXT: text })).text).toBe("");
      expect((await sh("git config --list --show-origin; git remote -v; env")).text).not.toContain(token);
    });

    test("is pushed to and fetched from with the token, and not without it", async () => {
      const push = "git push --quiet origin HEAD:refs/heads/pushed";
      expect((await sh(`GIT_TERMINAL_PROMPT=0 ${push}`)).code).not.toBe(0);
      expect(await sh(`${push} && git fetch --quiet origin`, { GITHUB_TOKEN: token })).toEqual({ code: 0, text: "" });
      // Another port is another server: the token is not offered to it.
      const other = "printf 'protocol=http\\nhost=127.0.0.1:1\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill";
      expect((await sh(other, { GITHUB_TOKEN: token })).text).not.toContain(token);
    });

    test("gives a diff and a bundle, whatever the agent made of its settings, and no secret to them", async () => {
      const see = "sh -c 'env >>/tmp/seen; cat'";
      const settings = ["filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "diff.external", "core.pager"];
      await sh(settings.map((key) => `git config ${key} "${see}"`).join("; "));
      await sh("git config core.fsmonitor 'touch /tmp/ran'; git config core.hooksPath hooks; chmod +x hooks/*");
      await sh("printf 'second line\\n' >>README.md; printf 'new\\n' >new");
      const diff = await running.diff(100_000);
      expect(diff).toContain("+second line");
      expect(diff).toContain("+new");
      expect(await running.bundle()).toBe("");
      expect((await sh("cat /tmp/seen 2>/dev/null")).text).not.toContain(token);
      expect((await running.diff(100)).length).toBeLessThan(200);
      expect(await ran()).toBe(false);
    });

    test("has no empty diff where git fails", async () => {
      await sh("git init --quiet nested && printf 'newer\\n' >newer");
      expect(await running.diff(100_000)).toMatch(/^New files may be missing here: [\s\S]*nested[\s\S]*\+second line/);
      await sh("rm -r nested; mv .git/objects .git/objects.away; mkdir .git/objects");
      await expect(running.diff(100_000)).rejects.toThrow(/^diff: /);
      await sh("rmdir .git/objects; mv .git/objects.away .git/objects");
    });

    test("that can't be cloned leaves no sandbox behind, and says why without the token", async () => {
      const before = await provider.list({});
      for (const [secret, own] of [
        ["ghp_wrong_0123456789", {}],
        [undefined, {}],
        [token, { branch: "no-such-branch" }],
        [token, { url: server.url("no-such-repository") }],
      ] as const) {
        const failed = await start(secret, own).catch((error: unknown) => error);
        if (!(failed instanceof SandboxError)) throw new Error(`it did not fail with a SandboxError: ${failed}`);
        expect(failed.step).toBe("clone");
        expect(failed.message).not.toContain(secret ?? token);
      }
      expect(await provider.list({})).toEqual(before);
    });
  });
}
