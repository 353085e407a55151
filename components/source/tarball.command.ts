/** Creates or removes the tarball of a repository's commit: the `tarball-<repository>-…` Command. */
import { createHash } from "node:crypto";
import { createReadStream, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { environmentCodec, type ValuesOf } from "../command-environment.ts";
import { commandScript } from "../command-script.ts";
import { isRepoUrl } from "../git/repo-name.ts";
import { absolutePath } from "../lib/portable-path.ts";
import { dockerfileProblem } from "./dockerfile.ts";
import { ensureTarball, fileInTarball, type Tarball, tarballPath } from "./tarball.ts";
import { gitTokenEnvironment, tarballEnvironment } from "./tarball-environment.ts";

const environment = environmentCodec({ ...tarballEnvironment.table, ...gitTokenEnvironment.table });

export default commandScript({
  variables: environment.schema,
  timeoutSeconds: 1000,
  async apply(declared) {
    const path = await ensureTarball(tarballOf(declared), { token: declared.token });
    const dockerfile = await fileInTarball(path, "Dockerfile");
    const problem = dockerfile === undefined ? undefined : dockerfileProblem(dockerfile);
    if (problem !== undefined) throw new Error(`${declared.repo}: ${problem.message}; ${problem.remedy}`);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    return { tarball: basename(path), bytes: statSync(path).size, sha256: hash.digest("hex") };
  },
  async remove(declared) {
    const path = tarballPath(tarballOf(declared));
    rmSync(path, { force: true });
    return { removed: basename(path) };
  },
});

function tarballOf(declared: ValuesOf<typeof environment.table>): Tarball {
  const { repo: from, commit, branch, origin, historyDepth } = declared;
  const repo = isRepoUrl(from) ? from : absolutePath(from, { project: process.cwd(), home: homedir() });
  return { repo, commit, branch, origin, historyDepth };
}
