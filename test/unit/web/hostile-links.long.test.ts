import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArgsInside } from "../../../components/web/machine/build-context.ts";
import { writeRepoFiles } from "../../../components/web/repo/repo-files.ts";
import { WebRepoLab } from "../../support/web-repo-lab.ts";

const lab = new WebRepoLab();

describe("symbolic links of an agent", () => {
  it("can't redirect our files out of its repo", async () => {
    await lab.prepare();
    const victim = join(lab.home, "bashrc");
    writeFileSync(victim, "the user's\n");
    mkdirSync(join(lab.repo, ".changelings"));
    symlinkSync(victim, join(lab.repo, ".changelings", "settings.toml"));
    rmSync(join(lab.repo, ".git", "info", "exclude"), { force: true });
    symlinkSync(victim, join(lab.repo, ".git", "info", "exclude"));
    writeRepoFiles(lab.repo, lab.spec({ settings: "[chat]\n" }));
    expect(readFileSync(victim, "utf8")).toBe("the user's\n");
    expect(lab.read(".changelings/settings.toml")).toContain("[chat]\n");

    rmSync(join(lab.repo, ".changelings"), { recursive: true });
    const folder = join(lab.home, "folder");
    mkdirSync(folder);
    writeFileSync(join(folder, "settings.toml"), "# Written by `pulumi up`; edits are overwritten.\n");
    symlinkSync(folder, join(lab.repo, ".changelings"));
    expect(() => writeRepoFiles(lab.repo, lab.spec({ settings: "[chat]\n" }))).toThrow("is not a folder");
    writeRepoFiles(lab.repo, lab.spec());
    expect(readFileSync(join(folder, "settings.toml"), "utf8")).toContain("Written by");
  });

  it("can't redirect an added path out of its repo", async () => {
    const folder = join(lab.home, "folder");
    mkdirSync(folder);
    await lab.prepare();
    symlinkSync(folder, join(lab.repo, "docs"));
    await lab.git("add", "docs");
    await lab.git("commit", "--quiet", "--message", "A link");
    writeFileSync(join(lab.home, "style.md"), "style\n");
    await expect(
      lab.prepare({ addPaths: [{ from: join(lab.home, "style.md"), to: "docs/style.md" }] }),
    ).rejects.toThrow();
    expect(existsSync(join(folder, "style.md"))).toBe(false);
  });

  it("can't bring a file of this machine into an image", () => {
    const folder = join(lab.home, "clone");
    mkdirSync(join(folder, "images"), { recursive: true });
    writeFileSync(join(folder, "images", "Dockerfile"), "FROM scratch\n");
    symlinkSync("images/Dockerfile", join(folder, "Dockerfile"));
    symlinkSync("/nowhere", join(folder, "images", "broken"));
    symlinkSync(".", join(folder, "images", "loop"));
    const inside = (...args: string[]) => buildArgsInside(args, folder, "modal");
    expect(inside("file=Dockerfile", "--cpu 2", "'docker-build-arg=A=a b'")).toEqual([
      `file=${folder}/Dockerfile`,
      "cpu=2",
      "'docker-build-arg=A=a b'",
    ]);
    expect(inside("context-dir=images", "file=/mine/Dockerfile", "image=x")).toEqual([
      `context-dir=${folder}/images`,
      "file=/mine/Dockerfile",
      "image=x",
    ]);
    writeFileSync(join(lab.home, "key"), "the user's\n");
    symlinkSync(join(lab.home, "key"), join(folder, "images", "key"));
    const refusal = (what: string) => `"${what}" of the agent's repository points outside of it`;
    expect(() => inside("context-dir=.")).toThrow(refusal("images/key"));
    expect(() => inside("file=images/Dockerfile")).toThrow(refusal("images/key"));
    expect(() => inside("docker-build-arg=A=a")).toThrow(refusal("images/key"));
    expect(() => inside("file=../key")).toThrow(refusal("file=../key"));
    symlinkSync(lab.home, join(folder, "home"));
    expect(() => inside("context-dir=home")).toThrow(refusal("home"));
    // Nothing of the repository is built.
    expect(inside("cpu=2", "image=debian")).toEqual(["cpu=2", "image=debian"]);
  });
});
