import { afterAll, expect, it } from "vitest";
import { gitIn, mergeBase, objectIds } from "../../../components/git/git.ts";
import { setSettings, settingsIn } from "../../../components/git/settings.ts";
import { headOf, Repository } from "../../support/repository.ts";

const past = { author: "Somebody", at: "2026-11-21T12:00:00+00:00" };
const repository = new Repository({ name: "one-commit", make: (each) => each.commit({ "a.txt": "a\n" }, past) });
const git = gitIn(repository.folder, { PATH: `${process.env["PATH"]}`, ...env(repository) });
afterAll(() => repository[Symbol.dispose]());

function env({ env: { HOME, GIT_CONFIG_GLOBAL, GIT_CONFIG_NOSYSTEM } }: Repository): Record<string, string> {
  const known = { HOME, GIT_CONFIG_GLOBAL, GIT_CONFIG_NOSYSTEM };
  return Object.fromEntries(Object.entries(known).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

it("reads settings with their scopes, however they are written", async () => {
  repository.git("config", "user.email", "two\nlines");
  repository.git("config", "--add", "user.email", "last");
  const environment = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "User.Email", GIT_CONFIG_VALUE_0: "" };
  const withMore = gitIn(repository.folder, { PATH: `${process.env["PATH"]}`, ...env(repository), ...environment });
  expect(await settingsIn(withMore, ["user.email", "user.name"])).toEqual([
    { name: "user.email", scope: "local", value: "two\nlines" },
    { name: "user.email", scope: "local", value: "last" },
    { name: "user.email", scope: "command", value: "" },
  ]);
  expect(await settingsIn(git, ["userxemail"])).toEqual([]);
});

it("sets only settings that differ, and does not replace several values", async () => {
  const wanted = { "remote.x.url": "/one", "remote.x.fetch": "+refs/heads/*:refs/x/*" };
  await setSettings(git, wanted, []);
  const found = await settingsIn(git, Object.keys(wanted));
  expect(found.map(({ name, value }) => [name, value])).toEqual(Object.entries(wanted));
  const started: string[][] = [];
  const counted = {
    async run(args: readonly string[]) {
      started.push([...args]);
      return "";
    },
  };
  await setSettings(counted, wanted, found);
  // A setting of the user's is not the repository's own.
  await setSettings(counted, { "remote.x.url": "/one" }, [{ name: "remote.x.url", scope: "global", value: "/one" }]);
  expect(started).toEqual([["config", "remote.x.url", "/one"]]);
  repository.git("config", "--add", "remote.x.url", "/two");
  const several = await settingsIn(git, ["remote.x.url"]);
  await expect(setSettings(git, { "remote.x.url": "/two" }, several)).rejects.toThrow("multiple values");
});

it("finds several objects at once, and the common ancestor of commits", async () => {
  const first = headOf(repository.folder);
  repository.commit({ "a.txt": "b\n" }, past);
  const second = headOf(repository.folder);
  const names = ["HEAD^{commit}", "HEAD^{tree}", "refs/none^{commit}", `${"1".repeat(40)}^{commit}`, first];
  const tree = repository.git("rev-parse", "HEAD^{tree}");
  expect(await objectIds(git, names)).toEqual([second, tree, undefined, undefined, first]);
  expect(await mergeBase(git, first, second)).toBe(first);
  expect(await mergeBase(git, second, "1".repeat(40))).toBeUndefined();
});
