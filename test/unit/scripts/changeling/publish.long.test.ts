import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { publish } from "../../../../scripts/changeling/sandbox/publish.ts";
import { portOf } from "../../../support/fault-proxy.ts";
import { Repository } from "../../../support/repository.ts";

const past = { author: "Mira (Harvest)", at: "2026-11-01T10:00:00Z" };
const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

describe("publishing an agent's branch", () => {
  let origin: Repository;
  let clone: Repository;
  let api: Server;
  let requests: { url: string | undefined; authorization: string | undefined; body: unknown }[];
  let status: number;

  beforeEach(async () => {
    origin = new Repository();
    origin.commit({ "README.md": "one\n" }, past);
    clone = new Repository(origin.folder);
    origin.git("config", "receive.denyCurrentBranch", "ignore");
    clone.git("remote", "set-url", "origin", "https://github.com/me/app.git");
    // GitHub itself is the other repository here.
    const config = join(dirname(clone.folder), "gitconfig");
    writeFileSync(config, `[url "file://${origin.folder}"]\ninsteadOf = https://github.com/me/app.git\n`);
    clone.git("checkout", "--quiet", "-b", "harvest/app");
    clone.commit({ "README.md": "two\n", ".github/workflows/ci.yml": "on: push\n" }, past);
    requests = [];
    status = 201;
    api = createServer(async (request, response) => {
      const body: unknown = JSON.parse(Buffer.concat(await request.toArray()).toString());
      requests.push({ url: request.url, authorization: request.headers.authorization, body });
      response.writeHead(status).end(JSON.stringify({ html_url: "https://github.com/me/app/pull/7", message: "no" }));
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    vi.stubEnv("GIT_CONFIG_GLOBAL", config);
    vi.stubEnv("GIT_CONFIG_NOSYSTEM", "1");
    vi.stubEnv("GITHUB_API_URL", `http://127.0.0.1:${portOf(api)}`);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    api.close();
    clone[Symbol.dispose]();
    origin[Symbol.dispose]();
  });

  const wanted = () => ({ folder: clone.folder, branch: "harvest/app", force: false, token });
  const pullRequest = { base: "main", title: undefined, body: "Made by an agent." };
  const pushed = () => origin.run("git", ["rev-parse", "--quiet", "--verify", "harvest/app"]).code === 0;

  it("pushes it to origin, and warns of workflows", async () => {
    const notes = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(await publish({ ...wanted(), pullRequest: undefined })).toEqual({ pushed: "https://github.com/me/app.git" });
    expect(notes.mock.calls.join("")).toContain("the commits change .github/workflows/ci.yml, which GitHub runs");
    notes.mockRestore();
    expect(origin.git("rev-parse", "harvest/app")).toBe(clone.git("rev-parse", "harvest/app"));
    expect(requests).toEqual([]);
  });

  it("warns of workflows in all commits that the remote does not have, also after a merge", async () => {
    clone.git("checkout", "--quiet", "-b", "side", "main");
    clone.commit({ "side.txt": "side\n" }, past);
    clone.git("checkout", "--quiet", "harvest/app");
    const identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
    clone.git(...identity, "merge", "--quiet", "--no-edit", "side");
    // What only the merge itself changes.
    clone.commit({ ".github/workflows/merged.yml": "on: push\n" }, past);
    const tree = clone.git("rev-parse", "HEAD^{tree}");
    const merge = clone.git(...identity, "commit-tree", "-p", "HEAD~1^1", "-p", "HEAD~1^2", "-m", "Merge", tree);
    clone.git("reset", "--quiet", "--hard", merge);
    const notes = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await publish({ ...wanted(), pullRequest: undefined });
    const files = ".github/workflows/ci.yml, .github/workflows/merged.yml";
    expect(notes.mock.calls.join("")).toContain(`the commits change ${files}, which GitHub runs`);
    notes.mockRestore();
  });

  it("opens a pull request, with the last commit's subject as its title", async () => {
    const { pullRequest: url } = await publish({ ...wanted(), pullRequest });
    expect(url).toBe("https://github.com/me/app/pull/7");
    const subject = clone.git("log", "-1", "--format=%s");
    expect(requests).toEqual([
      {
        url: "/repos/me/app/pulls",
        authorization: `Bearer ${token}`,
        body: { title: subject, head: "harvest/app", base: "main", body: "Made by an agent." },
      },
    ]);
  });

  it.each([
    ["without a token", () => ({ token: undefined }), "a pull request needs GITHUB_TOKEN"],
    [
      "on another host",
      () => {
        clone.git("remote", "set-url", "origin", "https://me:hunter2@git.example.com/me/app");
        return {};
      },
      "the remote origin, https://git.example.com/me/app, is not on GitHub; use --push",
    ],
    [
      "without a remote",
      () => {
        clone.git("remote", "remove", "origin");
        return {};
      },
      "has no remote origin; add it, or push the branch harvest/app yourself",
    ],
  ])("%s pushes nothing", async (_name, change, message) => {
    await expect(publish({ ...wanted(), pullRequest, ...change() })).rejects.toThrow(message);
    expect(pushed()).toBe(false);
  });

  it("says what GitHub answers, and not the token", async () => {
    status = 422;
    await expect(publish({ ...wanted(), pullRequest })).rejects.toThrow(/^POST \/repos\/me\/app\/pulls: 422 no$/);
  });

  it("replaces other commits of the remote's branch only with force", async () => {
    origin.git("branch", "harvest/app");
    origin.git("checkout", "--quiet", "harvest/app");
    origin.commit({ other: "x" }, past);
    origin.git("checkout", "--quiet", "main");
    await expect(publish({ ...wanted(), pullRequest: undefined })).rejects.toThrow("replace them with --force");
    await publish({ ...wanted(), force: true, pullRequest: undefined });
    expect(origin.git("rev-parse", "harvest/app")).toBe(clone.git("rev-parse", "harvest/app"));
  });
});
