import { describe, expect, test } from "vitest";
import { commitsBetween, pinProblems, type Tip } from "../../../components/source/tip.ts";
import { Repository } from "../../support/repository.ts";

const past = { author: "Ada", at: "2026-01-02T03:04:05Z" };

describe("whether a tip may be pinned", () => {
  const of = { repo: "/src/app", branch: "main" };
  const clean: Tip = { commit: "a".repeat(40), subject: "x", isDirty: false, unpushed: 0, remote: "origin" };
  const stash = "commit them, or stash them: git -C /src/app stash --include-untracked";
  const allow = "or write allow_unpushed = true";

  test.each<[string, Partial<Tip>, boolean, string[]]>([
    ["clean and pushed", {}, false, []],
    [
      "dirty",
      { isDirty: true },
      false,
      [`error: /src/app has uncommitted changes, and the pinned tarball contains only commits → ${stash}; ${allow}`],
    ],
    [
      "dirty, allowed",
      { isDirty: true, unpushed: 3 },
      true,
      [`warning: /src/app has uncommitted changes, and the pinned tarball contains only commits → ${stash}`],
    ],
    [
      "unpushed",
      { unpushed: 1, remote: "mine" },
      false,
      [`error: main of /src/app has a commit that mine does not have → push: git -C /src/app push mine main; ${allow}`],
    ],
    [
      "far ahead",
      { unpushed: 12 },
      false,
      [
        `error: main of /src/app has 12 commits that origin does not have → push: git -C /src/app push origin main; ${allow}`,
      ],
    ],
    ["unpushed, allowed", { unpushed: 12 }, true, []],
    [
      "who knows",
      { unpushed: undefined },
      false,
      [
        "warning: it is unknown whether the remote of /src/app has the tip of main → check: git -C /src/app push origin main",
      ],
    ],
  ])("%s", (_, tip, allowUnpushed, wanted) => {
    const problems = pinProblems(of, { ...clean, ...tip }, { allowUnpushed });
    expect(problems.map(({ severity, message, remedy }) => `${severity}: ${message} → ${remedy}`)).toEqual(wanted);
  });
});

test("the commits between two pins are counted where both are known", async () => {
  using repository = new Repository();
  repository.commit({ a: "1" }, past);
  const from = repository.git("rev-parse", "HEAD");
  repository.commit({ a: "2" }, past);
  repository.commit({ a: "3" }, past);
  const to = repository.git("rev-parse", "HEAD");
  const count = (repo: string, a: string, b: string) => commitsBetween({ repo, from: a, to: b }, repository.env);
  expect(await count(repository.folder, from, to)).toBe(2);
  expect(await count(repository.folder, to, from)).toBe(0);
  expect(await count(repository.folder, "b".repeat(40), to)).toBeUndefined();
  expect(await count("https://example.com/me/app", from, to)).toBeUndefined();
});
