import { describe, expect, it } from "vitest";
import { expandedRepo, repositoryName, sharedMemory } from "../../../components/sandbox/declared.ts";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { gitName, memoryVolume, repoPath } from "../../../components/sandbox/spec.ts";

describe("a sandbox's repository", () => {
  it.each([
    ["https://github.com/me/app.git", { owner: "me", repo: "app", url: "https://github.com/me/app.git" }],
    ["git@github.com:me/app.git", { owner: "me", repo: "app", url: "https://github.com/me/app.git" }],
    [
      "https://git.example.com/group/sub/app/",
      { owner: "sub", repo: "app", url: "https://git.example.com/group/sub/app" },
    ],
    ["/home/me/src/My.App", { owner: "local", repo: "My.App", url: "/home/me/src/My.App" }],
  ])("%s has a name and a URL without the ssh key of this machine", (repo, expected) => {
    expect(repositoryName(repo)).toEqual(expected);
  });

  it.each(["ssh://buildhost/app", "file:///tmp/app", "/home/me/..", "/home/me/a b", "/"])(
    "%s can't be a folder or can't be cloned, so it has none",
    (repo) => expect(repositoryName(repo)).toBeUndefined(),
  );

  it("may be owner/name on GitHub; a path begins with /, ~ or .", () => {
    expect(expandedRepo("RelevanceAI/test-repo")).toBe("https://github.com/RelevanceAI/test-repo");
    for (const path of ["./me/app", "~/src/app", "/src/app", "src/me/app"]) expect(expandedRepo(path)).toBe(path);
  });
});

describe("a sandbox in a program", () => {
  const { spec, requiredSecrets } = sandboxOf("example", { repo: "RelevanceAI/test-repo" });

  it("has the specification's names and defaults", () => {
    expect(memoryVolume(spec)).toBe("harvest-memory-RelevanceAI-test-repo");
    expect(repoPath(spec)).toBe("/workspace/test-repo");
    expect(gitName({ userName: "Test User" })).toBe("Test User (Harvest)");
    expect(spec).toMatchObject({ branch: "main", timeoutSeconds: 3600, runtime: "stub", provider: "local" });
  });

  it("needs no secret with the stub", () => expect(requiredSecrets).toEqual([]));

  it.each([
    [{ runtime: "cluade" }, /runtime: .*there is no runtime/],
    [{ runtimeConfig: { model: "opus" } }, /runtime_?[cC]onfig\.model: the runtime stub has no options/],
    [{ provider: "modal" as const, isolation: "none" as const }, /isolation: .*only for provider = "local"/],
    [
      { provider: "modal" as const, allowDomains: ["github.com:443", "github.com:22"] },
      /allowDomains\[1\]: .*Modal can't limit connections to a port/,
    ],
    [{ allowDomains: ["https://github.com"] }, /allowDomains\[0\]: .*not a host name/],
    [{ userName: "Eve <root@example.com>" }, /userName: contains </],
    [{ branch: "-upload-pack=x" }, /branch: .*not a valid branch name/],
    [{ env: { LD_PRELOAD: "/tmp/x.so" } }, /LD_PRELOAD is reserved/],
  ])("rejects %j", (options, message) => {
    expect(() => sandboxOf("example", { repo: "me/app", ...options })).toThrow(message);
  });
});

describe("the memory volumes of a fleet", () => {
  it("are those of one repository each, although the name does not say where the owner ends", () => {
    const [one, other, third] = [
      sandboxOf("one", { repo: "a-b/c" }),
      sandboxOf("other", { repo: "a/b-c" }),
      sandboxOf("third", { repo: "a-b/c" }),
    ];
    expect(memoryVolume(one.spec)).toBe(memoryVolume(other.spec));
    expect([...sharedMemory([one, other, third]).keys()]).toEqual(["other"]);
  });
});
