import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../stack/project.ts";
import { inTurn, type Measure, median, timed } from "./measure.ts";

const repositoryBytes = 35 * 2 ** 20;
const fileBytes = 20 * 2 ** 10;

/** The tarball of a 35 MB repository: created, against a shallow clone through tar and gzip; and already existing. */
export async function* tarballMeasures(folder: string): AsyncGenerator<Measure> {
  const repo = join(folder, "repo");
  mkdirSync(repo, { recursive: true });
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const inFolder = { cwd: folder, env };
  const git = (...args: string[]) => timed("git", ["-C", repo, ...args], inFolder);
  writeSources(repo);
  await git("init", "--quiet", "--initial-branch=main");
  await git("add", "--all");
  await git("-c", "user.name=Bench", "-c", "user.email=bench@example.com", "commit", "--quiet", "--message", "1");
  await git("repack", "-a", "-d", "--quiet");

  const script = join(projectFolder, "components/source/make_tar_of_repo.sh");
  const out = join(folder, "out.tar.gz");
  const make = () => timed(script, [repo, "main", out], inFolder);
  const clone = `git clone --quiet --depth 1 "file://$1" clone && tar -c -C clone . | gzip -n -1 >clone.tar.gz`;
  const times = await inTurn(
    5,
    () => {
      rmSync(out, { force: true });
      return make();
    },
    () => {
      rmSync(join(folder, "clone"), { recursive: true, force: true });
      return timed("sh", ["-c", clone, "sh", repo], inFolder);
    },
  );
  const detail = `${times.ours.toFixed(2)} s against ${times.other.toFixed(2)} s`;
  yield { name: "tarball of a 35 MB repository", value: times.ours / times.other, unit: "ratio", bar: 1.2, detail };

  const again: number[] = [];
  for (let round = 0; round < 5; round++) again.push(await make());
  yield { name: "tarball that is there already", value: median(again), unit: "s", bar: 0.1 };
}

/** Writes lines of words, the same every time, that compress as source code does. */
function writeSources(repo: string): void {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const letters = "etaoinshrdlucm";
  const word = () => Array.from({ length: 2 + random(8) }, () => letters[random(letters.length)]).join("");
  const words = Array.from({ length: 3000 }, word);
  // Some words are far more frequent than others.
  const line = () => Array.from({ length: 4 + random(8) }, () => words[random(random(words.length) + 1)]).join(" ");
  for (let written = 0, index = 0; written < repositoryBytes; written += fileBytes, index++) {
    const path = join(repo, `part-${index % 40}`);
    mkdirSync(path, { recursive: true });
    let text = "";
    while (text.length < fileBytes) text += `${" ".repeat(2 * random(5))}${line()};\n`;
    writeFileSync(join(path, `file-${index}.txt`), text.slice(0, fileBytes));
  }
}
