import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { baseImage, contentCommands } from "../../../components/sandbox/image/image.ts";
import { localPaths } from "../../../components/sandbox/local/paths.ts";
import { localProvider } from "../../../components/sandbox/local/provider.ts";
import { sandboxManager, type WarmSnapshot } from "../../../components/sandbox/manager.ts";
import { modalSandboxes } from "../../../components/sandbox/modal/provider.ts";
import type { Sandbox, SandboxProvider } from "../../../components/sandbox/provider.ts";
import type { RunningSandbox } from "../../../components/sandbox/running-sandbox.ts";
import { startEmulator } from "../../../test/support/modal-emulator.ts";
import { inTurn, type Measure, ratio } from "./measure.ts";

const bars = { start: 1.5, warm: 0.5 };

interface Size {
  readonly name: string;
  readonly rounds: number;
  /** For `git fast-import`. */
  commits(): Generator<string>;
}

const text = (seed: number, lines: number) => `${seed}\n`.repeat(lines);

/** What a start costs depends on whether the repository has next to nothing, many files, or a long history. */
const sizes: readonly Size[] = [
  {
    name: "200 files",
    rounds: 7,
    *commits() {
      yield commit(
        0,
        Array.from({ length: 200 }, (_, file) => ({ path: `file-${file}`, content: text(file, 500) })),
      );
    },
  },
  {
    name: "5,000 files",
    rounds: 3,
    *commits() {
      const path = (file: number) => `folder-${file % 50}/file-${file}`;
      yield commit(
        0,
        Array.from({ length: 5000 }, (_, file) => ({ path: path(file), content: text(file, 200) })),
      );
    },
  },
  {
    name: "2,000 commits of 20 MB",
    rounds: 5,
    *commits() {
      // Random, because git would compress anything else.
      const content = () => randomBytes(10_000).toString("base64");
      for (let at = 0; at < 2000; at++)
        yield commit(at, [{ path: `folder-${at % 20}/file-${at % 400}`, content: content() }]);
    },
  },
];

/**
 * From the start of a sandbox to the stub's first answer, without its end, against a bare sandbox of the same provider:
 * its creation and one program. For the larger repositories that program clones the repository, since somebody must.
 */
export async function* startMeasures(folder: string): AsyncGenerator<Measure> {
  for (const [index, size] of sizes.entries()) {
    const place = join(folder, `size-${index}`);
    const repo = repositoryOf(join(place, "app"), size);
    const sandboxes = join(place, "sandboxes");
    /** The copy that a start leaves for the next one is made when nobody waits, so it is not measured. */
    const isReady = ({ id }: WarmSnapshot) => existsSync(join(localPaths(sandboxes).spares, id));
    yield* measuresOf(localProvider({ sandboxes }), repo, { ...size, where: "", isReady });
  }
  const repo = join(folder, "size-0", "app");
  const emulator = await startEmulator();
  try {
    const provider = modalSandboxes({
      ...{ token: { id: "ak-emulator", secret: "as-emulator" }, env: emulator.env, installation: "bench" },
      // Nothing is installed.
      image: { base: baseImage, dockerfileCommands: contentCommands() },
    });
    yield* measuresOf(provider, repo, {
      name: "200 files",
      rounds: 5,
      where: " on Modal's emulator",
      isReady: () => true,
    });
  } finally {
    await emulator.stop();
  }
}

interface Run extends Pick<Size, "name" | "rounds"> {
  readonly where: string;
  isReady(snapshot: WarmSnapshot): boolean;
}

async function* measuresOf(
  provider: SandboxProvider,
  repo: string,
  { name, rounds, where, isReady }: Run,
): AsyncGenerator<Measure> {
  const { spec } = sandboxOf("bench", { repo });
  const manager = sandboxManager({ installation: "bench", provider: async () => provider });
  const image = await provider.prepareImage({ spec });
  const isSmall = name === sizes[0]?.name;
  const bundle = isSmall ? "" : bundleOf(repo);
  const program = isSmall ? "git --version" : "cat > /tmp/b && git clone --quiet --branch main /tmp/b /workspace/app";
  let count = 0;
  const bare = () =>
    timedUntilEnd(async () => {
      count += 1;
      const sandbox = await provider.create({ id: `bare-${count}`, spec, image, volumes: {}, labels: {} });
      const end = await sandbox.exec(["sh", "-c", program], { timeoutSeconds: 900, stdin: bundle });
      if (end.code !== 0) throw new Error(end.stderr);
      return sandbox;
    });
  const started = async (warmSnapshot?: WarmSnapshot) => {
    const time = await timedUntilEnd(async () => {
      count += 1;
      const sandbox = await manager.start(spec, { sessionId: `s${count}`, secrets: {}, warmSnapshot });
      await sandbox.prompt("List files in repository");
      return sandbox;
    });
    while (warmSnapshot !== undefined && !isReady(warmSnapshot)) await sleep(20);
    return time;
  };
  await started();
  const bareName = isSmall ? "a bare sandbox with one program" : "a bare sandbox that clones it";
  const cold = await inTurn(rounds, started, bare);
  yield ratio(`sandbox start to first answer${where}, ${name}`, cold, bars.start, bareName);
  const snapshot = await manager.warm(spec, { secrets: {} });
  await started(snapshot);
  const warm = await inTurn(rounds, () => started(snapshot), started);
  yield ratio(`the same from a warm snapshot${where}, ${name}`, warm, bars.warm, "a cold start");
  const warmAndBare = await inTurn(rounds, () => started(snapshot), bare);
  yield ratio(`the same from a warm snapshot${where}, ${name}`, warmAndBare, bars.start, bareName);
  await provider.removeSnapshot(snapshot.id);
}

/** In seconds, without the time that its end takes. */
async function timedUntilEnd(start: () => Promise<Sandbox | RunningSandbox>): Promise<number> {
  const began = performance.now();
  const sandbox = await start();
  const time = (performance.now() - began) / 1000;
  await sandbox.terminate();
  return time;
}

function repositoryOf(folder: string, { commits }: Size): string {
  mkdirSync(folder, { recursive: true });
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", folder]);
  execFileSync("git", ["-C", folder, "fast-import", "--quiet"], { input: [...commits()].join("") });
  return folder;
}

function commit(at: number, files: readonly { readonly path: string; readonly content: string }[]): string {
  const changes = files.map(({ path, content }) => `M 100644 inline ${path}\ndata ${content.length}\n${content}\n`);
  return `commit refs/heads/main\ncommitter A <a@example.com> ${1_700_000_000 + at} +0000\ndata 1\nc\n${changes.join("")}\n`;
}

function bundleOf(repo: string): Uint8Array {
  return execFileSync("git", ["-C", repo, "bundle", "create", "--quiet", "-", "--all"], {
    maxBuffer: 256 * 2 ** 20,
  });
}
