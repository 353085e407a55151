import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { own, Scene } from "../../../support/run-work-scene.ts";

/** What people and agents do; each may fail, as git's commands do when there is nothing for them to do. */
const steps: Record<string, (scene: Scene) => void> = {
  agentCommits: (scene) => scene.commit("agent", scene.tree),
  agentCommitsNothing: (scene) => scene.agent("commit", "--quiet", "--allow-empty", "--message", "agent nothing"),
  agentAmends: (scene) => {
    if (scene.agent("log", "-1", "--format=%cn") === "agent")
      scene.agent("commit", "--quiet", "--amend", "--no-edit", "--date=now");
  },
  agentBranches: (scene) =>
    scene.agent("checkout", "--quiet", "-b", `fix/${scene.agent("rev-parse", "HEAD").slice(0, 6)}`),
  agentGoesBack: (scene) => scene.agent("checkout", "--quiet", own),
  agentDetaches: (scene) => scene.agent("checkout", "--quiet", "--detach"),
  agentPulls: (scene) => scene.agent("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main"),
  agentRebases: (scene) => {
    scene.agent("fetch", "--quiet", "origin");
    scene.agent("rebase", "--quiet", "origin/main");
  },
  agentMergesFeature: (scene) => {
    scene.agent("fetch", "--quiet", "origin");
    scene.agent("merge", "--quiet", "--no-edit", "origin/feature");
  },
  agentPushes: (scene) => scene.agent("push", "--quiet", "origin", "HEAD:refs/heads/pushed"),
  agentPushesOnBase: (scene) => scene.agent("push", "--quiet", "origin", "HEAD:main"),
  colleagueCommits: (scene) => {
    scene.git(scene.at("colleague"), "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main");
    scene.commit("colleague", scene.at("colleague"));
    scene.git(scene.at("colleague"), "push", "--quiet", "origin", "HEAD:main");
  },
  colleaguesFeature: (scene) => {
    scene.commit("colleague", scene.at("colleague"));
    scene.git(scene.at("colleague"), "push", "--quiet", "--force", "origin", "HEAD:feature");
  },
};
const personsSteps: typeof steps = {
  personCommits: (scene) => scene.commit("person", scene.primary),
  personBranches: (scene) => scene.git(scene.primary, "checkout", "--quiet", "-B", "feature"),
  personReturns: (scene) => scene.git(scene.primary, "checkout", "--quiet", "main"),
  personPulls: (scene) => scene.git(scene.primary, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main"),
  personPushes: (scene) => scene.git(scene.primary, "push", "--quiet", "origin", "main"),
};

describe("over small histories", { timeout: 120_000 }, () => {
  it.each([
    ["shared", false, { ...steps, ...personsSteps }],
    ["isolated", true, steps],
  ])(
    "%s: the run's commits are those that its agent made and that are on no base branch",
    async (_how, isolated, all) => {
      const history = fc.array(fc.constantFrom(...Object.keys(all)), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(history, async (names) => {
          using scene = await new Scene(isolated).begin();
          for (const name of names) {
            try {
              all[name]?.(scene);
            } catch {
              // Git refused it: then it did not happen. A rebase or merge must not stay half-way.
              for (const what of ["rebase", "merge"]) {
                try {
                  scene.agent(what, "--abort");
                } catch {
                  // None is under way.
                }
              }
            }
          }
          const bases = isolated ? ["origin/main"] : ["main", "origin/main"];
          const log = (...args: string[]) =>
            scene
              .agent("log", "--format=%H %cn", ...args)
              .split("\n")
              .filter((line) => line !== "");
          const expected = log("HEAD", "--branches", "--not", ...bases)
            .filter((line) => line.endsWith(" agent"))
            .map((line) => line.split(" ")[0]);
          const work = await scene.work();
          expect(work.commits.map(({ hash }) => hash).sort()).toEqual(expected.sort());
          // Each of them is on one of the branches that are named.
          const held = work.branches.flatMap(({ name }) => log(`refs/heads/${name}`)).map((line) => line.split(" ")[0]);
          expect(expected.filter((hash) => !held.includes(hash))).toEqual([]);
        }),
        { numRuns: 15 },
      );
    },
  );
});
