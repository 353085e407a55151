import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gitIn } from "../../../components/git/git.ts";
import { linkRemote } from "../../../components/web/repo/push.ts";
import { WebRepoLab } from "../../support/web-repo-lab.ts";

const lab = new WebRepoLab();

describe("the remote of an agent's commits", () => {
  const warnings: string[] = [];
  const link = (remote: string | undefined) =>
    linkRemote(lab.repo, lab.spec({ remote }), {
      env: lab.environment,
      token: undefined,
      warn: (text) => warnings.push(text),
    });

  it("gets existing and new commits on the changeling's branch", async () => {
    await lab.prepare();
    const remote = join(lab.home, "remote.git");
    await gitIn(lab.home, lab.environment).run(["init", "--quiet", "--bare", remote]);
    const there = async () => (await gitIn(remote, lab.environment).run(["rev-parse", "changelings/elena"])).trim();
    await link(remote);
    expect(await there()).toBe(lab.head());
    const own = await lab.agentCommits({ "notes.txt": "mine\n" });
    await expect.poll(there, { timeout: 10_000 }).toBe(own);
    await link(undefined);
    expect([existsSync(join(lab.repo, ".git/hooks/post-commit")), (await lab.git("remote")).trim()]).toEqual([
      false,
      "origin",
    ]);
    expect(warnings).toEqual([]);
  });

  it("causes a warning if unreachable, and never overwrites a hook of the agent", async () => {
    await lab.prepare();
    const hook = join(lab.repo, ".git/hooks/post-commit");
    mkdirSync(join(lab.repo, ".git/hooks"), { recursive: true });
    writeFileSync(hook, "#!/bin/sh\n");
    await link(join(lab.home, "none.git"));
    expect(readFileSync(hook, "utf8")).toBe("#!/bin/sh\n");
    expect(warnings).toEqual([
      `${hook} already exists, so the agent's commits are only pushed by \`pulumi up\``,
      expect.stringMatching(/^the commits of elena could not be pushed to .*none\.git: git push: fatal: /),
    ]);
  });
});
