import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { comment, commentMarker } from "../../../../../scripts/stack/pipeline/comment.ts";
import { forgeOf } from "../../../../../scripts/stack/pipeline/forge.ts";
import { FakeForge } from "../../../../support/fake-forge.ts";

// Retries wait seconds.
vi.mock("node:timers/promises", () => ({ setTimeout: async () => undefined }));

const bot = "github-actions[bot]";
const marker = commentMarker("home");
let folder: string;
let forge: FakeForge;
let root: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "comment-"));
  forge = new FakeForge({
    job: { login: bot, isApp: true, mayWrite: true },
    fork: { login: bot, isApp: true, mayWrite: false },
    person: { login: "me", mayWrite: true },
  });
  root = await forge.listen();
});
afterEach(async () => {
  await forge.close();
  rmSync(folder, { recursive: true });
});

function github(token: string, { from = "me/fleet" }: { from?: string | null } = {}) {
  const file = join(folder, "event.json");
  const head = { sha: "1a2b3c", repo: from === null ? null : { full_name: from } };
  const event = { pull_request: { number: 7, head, base: { repo: { full_name: "me/fleet" } } } };
  writeFileSync(file, JSON.stringify(event));
  return forgeOf({ GITHUB_REPOSITORY: "me/fleet", GITHUB_API_URL: root, GITHUB_EVENT_PATH: file, GITHUB_TOKEN: token });
}

function gitlab(token: string) {
  const job = { CI_API_V4_URL: `${root}/api/v4`, CI_MERGE_REQUEST_PROJECT_ID: "42", CI_MERGE_REQUEST_IID: "7" };
  return forgeOf({ ...job, GITLAB_TOKEN: token });
}

describe.each([
  ["GitHub, with the job's token", () => github("job"), bot, "pull request 7"],
  ["GitHub, with a person's token", () => github("person"), "me", "pull request 7"],
  ["GitLab", () => gitlab("person"), "me", "merge request 7"],
])("a plan on %s", (_where, open, author, place) => {
  it("is added once, then edited in place", async () => {
    expect(await comment(open(), marker, "first\n")).toBe(`The plan is a new comment on ${place}.`);
    forge.comments.push({ id: 1, body: "looks good", author: "somebody" });
    expect(await comment(open(), marker, "second\n")).toBe(`The plan's comment on ${place} is edited.`);
    expect(forge.comments).toEqual([
      { id: 100, body: `${marker}\nsecond\n`, author },
      { id: 1, body: "looks good", author: "somebody" },
    ]);
  });

  it("is found on a later page", async () => {
    forge.pageSize = 2;
    for (let id = 1; id <= 5; id += 1) forge.comments.push({ id, body: `talk ${id}`, author: "somebody" });
    forge.comments.push({ id: 6, body: `${marker}\nfirst`, author });
    expect(await comment(open(), marker, "second")).toContain("is edited");
    expect(forge.comments.at(-1)).toEqual({ id: 6, body: `${marker}\nsecond`, author });
    expect(forge.comments).toHaveLength(6);
  });

  it("has a comment of its own for each stack, and never takes somebody else's", async () => {
    forge.comments.push({ id: 1, body: `${commentMarker("home-2")}\nother stack`, author });
    forge.comments.push({ id: 2, body: `${marker}\nNothing changes.`, author: "mallory" });
    forge.comments.push({ id: 3, body: `> ${marker}\nquoted`, author });
    expect(await comment(open(), marker, "mine")).toContain("new comment");
    expect(forge.comments.slice(0, 3).map(({ body }) => body.split("\n")[1])).toEqual([
      "other stack",
      "Nothing changes.",
      "quoted",
    ]);
  });
});

it("the token goes nowhere else, whatever a page links to", async () => {
  const elsewhere = new FakeForge({});
  forge.linkRoot = await elsewhere.listen();
  forge.pageSize = 1;
  for (const id of [1, 2]) forge.comments.push({ id, body: "talk", author: "somebody" });
  expect(await comment(github("job"), marker, "plan")).toContain("new comment");
  expect(elsewhere.requests).toEqual([]);
  await elsewhere.close();
});

describe("a forge in trouble", () => {
  it("is asked again, and a comment whose answer was lost is not doubled", async () => {
    forge.faults.push(502);
    forge.loses = "POST";
    expect(await comment(github("job"), marker, "plan")).toBe("The plan's comment on pull request 7 is edited.");
    expect(forge.requests.map((request) => request.split(" ")[0])).toEqual([
      "GET",
      "GET",
      "GET",
      "POST",
      "GET",
      "GET",
      "PATCH",
    ]);
    expect(forge.comments).toHaveLength(1);
  });

  it("that stays away is an error after three tries, without the token", async () => {
    forge.faults.push(500, 500, 500, 500);
    const failed = comment(github("person"), marker, "plan");
    await expect(failed).rejects.toThrow(/^GET \/user: 500 not now$/);
    expect(forge.requests).toHaveLength(3);
  });

  it("that refuses is not asked again, and the error names what is missing", async () => {
    await expect(comment(github("fork"), marker, "plan")).rejects.toThrow(
      "no comment on pull request 7: POST /repos/me/fleet/issues/7/comments: 403 Resource not accessible by integration; " +
        "the job's token must be allowed to write there (GitHub: permissions: pull-requests: write)",
    );
    await expect(comment(github("wrong-token"), marker, "plan")).rejects.toThrow(
      /401 Bad credentials; the job's token/,
    );
    expect(forge.comments).toEqual([]);
  });

  it.each(["you/fleet", null])("is not a failure if a fork's job (%s) may only read", async (from) => {
    expect(await comment(github("fork", { from }), marker, "plan")).toBe(
      "A job of a fork may not comment on pull request 7: the plan is in the job's summary.",
    );
  });

  it("can't be reached: the error says so", async () => {
    await forge.close();
    await expect(comment(github("job"), marker, "plan")).rejects.toThrow(/^GET \/user: .*ECONNREFUSED/);
    forge = new FakeForge({});
    await forge.listen();
  });
});

describe("forgeOf", () => {
  it.each([
    [{}, "no pull request to comment on: run this in a job of a pull request, where GitHub Actions"],
    [{ GITHUB_REPOSITORY: "me/fleet" }, "GITHUB_EVENT_PATH describes another event"],
    [{ CI_MERGE_REQUEST_IID: "7" }, "CI_API_V4_URL is not set: run this in a job"],
    [
      { CI_MERGE_REQUEST_IID: "7", CI_API_V4_URL: "http://127.0.0.1:1" },
      "GITLAB_TOKEN is not set: a project access token with the scope api",
    ],
  ])("%j is no job of a pull request", (env, message) => {
    expect(() => forgeOf(env)).toThrow(message);
  });

  it("does not take a push for a pull request", () => {
    const file = join(folder, "event.json");
    writeFileSync(file, JSON.stringify({ ref: "refs/heads/main" }));
    const env = { GITHUB_REPOSITORY: "me/fleet", GITHUB_EVENT_PATH: file, GITHUB_TOKEN: "job" };
    expect(() => forgeOf(env)).toThrow("GITHUB_EVENT_PATH describes another event");
  });
});
