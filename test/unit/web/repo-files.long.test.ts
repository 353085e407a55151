import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeRepoFiles } from "../../../components/web/repo/repo-files.ts";
import { WebRepoLab } from "../../support/web-repo-lab.ts";

const lab = new WebRepoLab();

describe("added paths", () => {
  const added = (...names: string[]) => names.map((name) => ({ from: join(lab.home, name), to: `docs/${name}` }));

  it("are added to the source and removed as declared, and keep the agent's changes", async () => {
    writeFileSync(join(lab.home, "style.md"), "one\ntwo\nthree\n");
    mkdirSync(join(lab.home, "folder"));
    writeFileSync(join(lab.home, "folder", "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    await lab.prepare({ addPaths: added("style.md", "folder") });
    expect(lab.read("docs/style.md")).toBe("one\ntwo\nthree\n");
    expect(statSync(join(lab.repo, "docs/folder/run.sh")).mode & 0o100).toBe(0o100);
    expect(lab.read("page.txt")).toContain("7\n");

    await lab.agentCommits({ "docs/style.md": "ONE\ntwo\nthree\n" });
    writeFileSync(join(lab.home, "style.md"), "one\ntwo\nTHREE\n");
    lab.sourceCommits({ "other.txt": "second\n" });
    await lab.prepare({ addPaths: added("style.md") });
    expect(lab.read("docs/style.md")).toBe("ONE\ntwo\nTHREE\n");
    expect(lab.read("other.txt")).toBe("second\n");
    expect(existsSync(join(lab.repo, "docs/folder"))).toBe(false);
    const merged = lab.head();
    expect(await lab.prepare({ addPaths: added("style.md") })).toEqual({ before: merged, after: merged });
  });

  it("must exist", async () => {
    await expect(lab.prepare({ addPaths: added("none.md") })).rejects.toThrow(
      `${join(lab.home, "none.md")} (in add_paths) does not exist; correct the path, or remove it from the fleet file`,
    );
  });
});

describe("files in no commit of the repo", () => {
  it("contain its settings, which git ignores", async () => {
    await lab.prepare();
    const settings = '[chat]\nmodel = "mine"\n';
    writeRepoFiles(lab.repo, lab.spec({ settings, agentType: "chat" }));
    expect(lab.read(".changelings/settings.toml")).toBe(
      `# Written by \`pulumi up\`; edits are overwritten.\n${settings}`,
    );
    expect(await lab.git("status", "--porcelain")).toBe("");
    writeRepoFiles(lab.repo, lab.spec({ agentType: "chat" }));
    expect(existsSync(join(lab.repo, ".changelings/settings.toml"))).toBe(false);
  });

  it("don't replace the repo's own settings, which exclude declared ones", async () => {
    lab.sourceCommits({ ".changelings/settings.toml": "# the repo's\n" });
    await lab.prepare();
    writeRepoFiles(lab.repo, lab.spec({ agentType: "chat" }));
    expect(lab.read(".changelings/settings.toml")).toBe("# the repo's\n");
    await expect(lab.prepare({ settings: "[chat]\n" })).rejects.toThrow(
      "the source of elena already contains .changelings/settings.toml; remove it there, or remove settings from the fleet file",
    );
  });

  it("the older translated create template is removed", async () => {
    await lab.prepare();
    mkdirSync(join(lab.repo, ".mngr"), { recursive: true });
    writeFileSync(join(lab.repo, ".mngr/settings.local.toml"), "# Written by `pulumi up`; edits are overwritten.\n");
    writeRepoFiles(lab.repo, lab.spec());
    expect(existsSync(join(lab.repo, ".mngr/settings.local.toml"))).toBe(false);
    writeFileSync(join(lab.repo, ".mngr/settings.local.toml"), "# mine\n");
    writeRepoFiles(lab.repo, lab.spec());
    expect(lab.read(".mngr/settings.local.toml")).toBe("# mine\n");
  });
});
