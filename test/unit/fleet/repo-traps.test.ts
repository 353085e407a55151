import { chmodSync, mkdirSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox } from "../../support/fleet-sandbox.ts";

/** What would fail, or mislead, each run of the night is said when the file is checked. */
const sandbox = new Sandbox();
afterAll(() => sandbox[Symbol.dispose]());

const changeling = (lines: string) => `[changelings.fixme-fairy]\n${lines}\n`;
const problems = (lines: string) => sandbox.diagnosticsOf(changeling(lines));
const where = "changelings.fixme-fairy";

describe("a branch named changelings", () => {
  const taken = (place: string) =>
    `the branch "changelings" of ${place} keeps git from having branches changelings/… there, which runs work on`;

  beforeAll(() => {
    const origin = sandbox.repo("taken", ["main", "changelings"]);
    sandbox.git("clone", "--quiet", origin, `${sandbox.folder}/clone`);
    sandbox.git("-C", `${sandbox.folder}/clone`, "remote", "set-url", "origin", "https://github.com/me/taken");
  });

  it("here is an error", async () => {
    expect(await problems('repo = "taken"')).toEqual([
      `config.toml:2: ${where}.repo: ${taken("<folder>/taken")}`,
      "→ rename it: git -C <folder>/taken branch -m changelings <another name>",
    ]);
  });

  it("on the remote is an error on Modal, where branches are pushed, and no matter here", async () => {
    expect(await problems('repo = "clone"')).toEqual([]);
    expect(await problems('repo = "clone"\nprovider = "modal"')).toEqual([
      `config.toml:2: ${where}.repo: ${taken("origin")}`,
      "→ rename it there, and delete the old one",
    ]);
  });

  it("of a repository by URL is an error on Modal, and a warning here", async () => {
    const url = `file://${sandbox.folder}/taken`;
    const checked = { checkRemotes: true };
    expect((await sandbox.diagnosticsOf(changeling(`repo = "${url}"`), checked))[0]).toBe(
      `config.toml:2: warning: ${where}.repo: ${taken("file://<folder>/taken")}`,
    );
    const onModal = await sandbox.diagnosticsOf(changeling(`repo = "${url}"\nprovider = "modal"`), checked);
    expect(onModal).toContain(`config.toml:2: ${where}.repo: ${taken("file://<folder>/taken")}`);
  });
});

it("a tag named as the base branch is a warning", async () => {
  sandbox.git("-C", sandbox.repo("tagged"), "tag", "main");
  expect(await problems('repo = "tagged"\nbranch = "main"')).toEqual([
    `config.toml:3: warning: ${where}.branch: a tag of <folder>/tagged is named "main" too, and git takes that when an agent names the branch`,
    "→ rename the tag, or delete it: git -C <folder>/tagged tag -d main",
  ]);
});

it("a bare repository is an error for local agents, but not if it is cloned", async () => {
  sandbox.git("clone", "--quiet", "--bare", sandbox.repo("full"), `${sandbox.folder}/bare.git`);
  expect(await problems('repo = "bare.git"')).toEqual([
    `config.toml:2: ${where}.repo: <folder>/bare.git is a bare repository, and agents need a checkout`,
    '→ git clone <folder>/bare.git <folder> and name that, or write repo = "file://<folder>/bare.git"',
  ]);
  expect(await problems(`repo = "file://${sandbox.folder}/bare.git"`)).toEqual([]);
  sandbox.git("-C", `${sandbox.folder}/bare.git`, "remote", "set-url", "origin", "https://github.com/me/bare");
  expect(await problems('repo = "bare.git"\nprovider = "modal"')).not.toContainEqual(
    expect.stringContaining("is a bare"),
  );
});

it("submodules, and LFS without git-lfs, are warnings", async () => {
  sandbox.repo("parts");
  sandbox.write("parts/.gitmodules", '[submodule "x"]\n');
  expect(await problems('repo = "parts"')).toEqual([
    `config.toml:2: warning: ${where}.repo: its submodules are empty folders for the agents: git creates work trees and clones without them`,
    "→ if they need them, say so in initial_message: git submodule update --init",
  ]);
  sandbox.repo("large");
  const reported = async (attributes: string, path = sandbox.folder) => {
    sandbox.write("large/.gitattributes", attributes);
    const environment = { ...sandbox.environment, PATH: `${path}${delimiter}${sandbox.environment.PATH}` };
    return sandbox.words((await sandbox.load(changeling('repo = "large"'), { environment })).diagnostics);
  };
  expect(await reported("# *.bin filter=lfs\n")).toEqual([]);
  expect(await reported("*.bin filter=lfs diff=lfs\n")).toEqual([
    `config.toml:2: warning: ${where}.repo: its files are kept with Git LFS, and git-lfs is not installed: agents can't check them out`,
    "→ apt-get install git-lfs, or brew install git-lfs",
  ]);
  const tool = sandbox.write("lfs/git-lfs", "#!/bin/sh\n");
  chmodSync(tool, 0o755);
  expect(await reported("*.bin filter=lfs diff=lfs\n", dirname(tool))).toEqual([]);
});

it("the whole home folder is an error where nobody chose it, and a warning where somebody did", async () => {
  const home = sandbox.repo("home");
  expect((await problems(`repo = "${home}"`))[0]).toBe(
    `config.toml:2: warning: ${where}.repo: the repository is the whole home folder`,
  );
  mkdirSync(`${home}/.changelings`);
  const file = sandbox.write("home/.changelings/config.toml", changeling(""));
  const { loadFleet } = await import("../../../components/kinds.ts");
  expect(sandbox.words((await loadFleet({ file, context: sandbox.context() })).diagnostics)).toEqual([
    `home/.changelings/config.toml:1: ${where}: the repository around the file: the repository is the whole home folder`,
    '→ write repo = "<path or URL>"',
  ]);
});
