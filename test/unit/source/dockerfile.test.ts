import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dockerfileProblem, dockerfileProblemAt } from "../../../components/source/dockerfile.ts";
import { ensureTarball, fileInTarball } from "../../../components/source/tarball.ts";
import { pythonOfMngr } from "../../support/python-of-mngr.ts";
import { Repository } from "../../support/repository.ts";

const stages = "its Dockerfile has several stages, which mngr does not build on Modal";

describe("a Dockerfile of a pinned changeling", () => {
  it.each([
    ["FROM x\nRUN y\n", undefined],
    ["# syntax=docker/dockerfile:1\nARG A=1\nfrom x:$A\n\nRUN echo \\\n  # FROM y\n  from z\n", undefined],
    ['FROM x\nRUN echo "a << b" $((1 << 2)) <<<word\n', undefined],
    ["FROM x AS build\nRUN y\nFROM z\nCOPY --from=build /a /a\n", stages],
    ["FROM x\n  from y\n", stages],
    ["RUN x\n", "its Dockerfile has no FROM"],
    ["FROM x\nRUN python3 <<EOF\nfrom os import path\nEOF\n", /^its Dockerfile has a heredoc \("RUN python3 <<EOF"\)/],
    ["FROM x\nCOPY <<-'END' /a\nb\nEND\n", /^its Dockerfile has a heredoc/],
    ["FROM x\nRUN a \\\n  && cat <<EOF > /b\nc\nEOF\n", /^its Dockerfile has a heredoc/],
  ])("%j", (text, problem) => {
    const found = dockerfileProblem(text)?.message;
    if (problem instanceof RegExp) expect(found).toMatch(problem);
    else expect(found).toBe(problem);
  });

  it("is read as mngr's parser reads it", () => {
    const texts = [
      "FROM x\nRUN echo \\\n from y\n",
      "FROM x\nRUN echo \\\n# c\n from y\nFROM z\n",
      "from a\n # FROM b\n",
      "FROM a\nRUN b \\  \n  FROM c\n",
    ];
    const script = `
import json, os, sys, tempfile
from dockerfile_parse import DockerfileParser
def is_multistage(text):
    with tempfile.TemporaryDirectory() as folder:
        parser = DockerfileParser(os.path.join(folder, "Dockerfile"))
        parser.content = text
        return parser.is_multistage
print(json.dumps([is_multistage(text) for text in json.load(sys.stdin)]))
`;
    const said = execFileSync(pythonOfMngr(), ["-c", script], { input: JSON.stringify(texts), encoding: "utf8" });
    expect(texts.map((text) => dockerfileProblem(text)?.message === stages)).toEqual(JSON.parse(said));
  });

  it("is looked at in the commit, here and in its tarball", async () => {
    using repo = new Repository();
    const at = { author: "Me", at: "2026-01-01T00:00:00Z" };
    repo.commit({ a: "1" }, at);
    const without = repo.git("rev-parse", "HEAD");
    repo.commit({ Dockerfile: "FROM a\nFROM b\n" }, at);
    const commit = repo.git("rev-parse", "HEAD");
    repo.write({ Dockerfile: "FROM a\n" });
    expect(await dockerfileProblemAt({ repo: repo.folder, commit: without }, repo.env)).toBeUndefined();
    expect(await dockerfileProblemAt({ repo: repo.folder, commit }, repo.env)).toMatchObject({ message: stages });
    const cacheFolder = join(repo.folder, "..", "cache");
    const tarball = { repo: repo.folder, commit, branch: "main", origin: "https://example.com/a", historyDepth: 1 };
    const path = await ensureTarball(tarball, { cacheFolder, environment: repo.env });
    expect([await fileInTarball(path, "Dockerfile"), await fileInTarball(path, "none")]).toEqual([
      "FROM a\nFROM b\n",
      undefined,
    ]);
    rmSync(cacheFolder, { recursive: true });
  });
});
