import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import {
  appFiles,
  debianPackages,
  dockerfile,
  dockerfileCommands,
  imageId,
} from "../../../../components/sandbox/image/image.ts";
import { imageMcpServers } from "../../../../components/sandbox/image/mcp-servers.ts";
import { memoryLines, memorySeed } from "../../../../components/sandbox/image/memory-seed.ts";
import { toolParts } from "../../../../components/sandbox/image/tools.ts";

const tools = "components/sandbox/image/tools";

test("the image has every Debian package of spec 004", () => {
  const listed = [
    ...["git", "curl", "wget", "jq", "ripgrep", "tree", "fd-find", "vim", "less", "build-essential"],
    ...["libnss3", "libnspr4", "libatk1.0-0", "libatk-bridge2.0-0", "libcups2", "libdrm2", "libdbus-1-3"],
    ...["libxkbcommon0", "libatspi2.0-0", "libxcomposite1", "libxdamage1", "libxfixes3", "libxrandr2", "libgbm1"],
    "libasound2",
  ];
  expect(debianPackages).toEqual(expect.arrayContaining(listed));
});

test("the image is pinned: its base with Node, Debian's archive, and each npm package with its hash", () => {
  const text = dockerfile();
  expect(text).toMatch(/^FROM node:22\.\d+\.\d+-bookworm-slim\n/);
  expect(text).not.toMatch(/latest|\|\| true|deb\.debian\.org/);
  for (const part of toolParts) {
    const { dependencies } = JSON.parse(readFileSync(join(tools, part, "package.json"), "utf8"));
    for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    const { packages } = JSON.parse(readFileSync(join(tools, part, "package-lock.json"), "utf8"));
    for (const [path, { integrity }] of Object.entries<{ integrity?: string }>(packages)) {
      if (path !== "") expect(integrity, path).toMatch(/^sha512-/);
    }
  }
});

test("a line of the Dockerfile is not longer than Docker accepts", () => {
  for (const command of dockerfileCommands()) expect(command.length).toBeLessThan(65_535);
});

test("the commands are accepted by a shell, and write the files of /app as they are", () => {
  const folder = mkdtempSync(join(tmpdir(), "image-"));
  try {
    for (const command of dockerfileCommands().filter((each) => each.startsWith("RUN "))) {
      const script = command.slice("RUN ".length);
      execFileSync("sh", ["-n", "-c", script]);
      const path = / > \/app\/(\S+)$/.exec(script)?.[1];
      if (path === undefined || !script.startsWith("echo ")) continue;
      execFileSync("mkdir", ["-p", dirname(join(folder, path))]);
      execFileSync("sh", ["-c", script.replace("> /app/", `> ${folder}/`)]);
      expect(readFileSync(join(folder, path), "utf8")).toBe(appFiles().get(path));
    }
    expect(readFileSync(join(folder, "AGENTS.md"), "utf8")).toContain("# Harvest Agent");
    expect(readFileSync(join(folder, "docs/ai/git.md"), "utf8")).toContain("# Git");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the image's id is the same for the same content", () => {
  expect(imageId()).toMatch(/^[0-9a-f]{16}$/);
  expect(imageId()).toBe(imageId());
});

test("AGENTS.md has each command of Safe-Carry-Forward exactly", () => {
  const agents = appFiles().get("AGENTS.md") ?? "";
  for (const command of [
    'git add -A && git commit -m "wip: snapshot before sync" --no-verify',
    "git fetch origin\n   git rebase origin/<branch>",
    'git reset --soft origin/<branch>\n   git commit -m "feat: descriptive message"\n   git push origin <branch>',
    'CURRENT=$(git branch --show-current)\n   git checkout -b "checkpoint-$CURRENT-$(date +%s)"\n   git checkout "$CURRENT"',
  ]) {
    expect(agents).toContain(command);
  }
  expect(agents).toContain("**NEVER use git pull or git stash**");
  for (const condition of ["Test failure after 3", "Forced update on shared", "Network timeout after 3", "disk full"]) {
    expect(agents).toContain(condition);
  }
});

test("each link of the workflow pages leads to a page", () => {
  for (const [path, text] of appFiles()) {
    for (const [, target = ""] of text.matchAll(/\]\(([\w.-]+)\)/g)) {
      expect([...appFiles().keys()], path).toContain(join(dirname(path), target));
    }
    for (const [page] of text.matchAll(/(?<=\/app\/)docs\/ai\/[\w-]+\.md/g)) {
      expect([...appFiles().keys()], path).toContain(page);
    }
  }
});

test("nothing in the image belongs to one agent's runtime", () => {
  for (const text of [appFiles().get("AGENTS.md"), appFiles().get("memory-seed.json")]) {
    expect(text).not.toMatch(/opencode|claude|codex|gemini/i);
  }
});

test("the memory's seed is rendered as the lines of memory.jsonl", () => {
  const lines = memoryLines()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { entities, relations } = memorySeed();
  expect(lines).toHaveLength(entities.length + relations.length);
  expect(lines[0]).toEqual({ type: "entity", ...entities[0] });
  expect(lines.at(-1)).toEqual({ type: "relation", ...relations.at(-1) });
  const names = new Set(entities.map(({ name }) => name));
  expect(names.size).toBe(entities.length);
  for (const { from, to } of relations) for (const name of [from, to]) expect(names).toContain(name);
});

test("the image has the MCP servers of spec 004, of which only the one for GitHub may fail", () => {
  const servers = Object.entries(imageMcpServers());
  expect(servers.map(([name]) => name)).toEqual(["memory", "filesystem", "playwright", "devtools", "github"]);
  expect(servers.filter(([, { required }]) => !required).map(([name]) => name)).toEqual(["github"]);
});
