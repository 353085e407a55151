import { existsSync, realpathSync, rmSync } from "node:fs";
import { delimiter, dirname, join, sep } from "node:path";
import { cacheFolder, keyOf, platform, versions } from "./cache.mjs";
import { checksumIn, download, downloadText, Unreachable } from "./download.ts";
import { installFolder } from "./install.mjs";
import { SetupError, say, step } from "./progress.mjs";
import { buildPulumi } from "./pulumi-build.ts";
import { compareVersions, type Python } from "./python.ts";
import { run } from "./run.mjs";
import { leanSources, which } from "./toolchain.mjs";
import { outputOf } from "./tools.ts";

const VERSION = versions.pulumi;
const RELEASES = "https://get.pulumi.com/releases/sdk";
const CHECKSUMS = `https://github.com/pulumi/pulumi/releases/download/v${VERSION}`;

/**
 * Finds the Pulumi CLI with its language host beside it: the user's own if it is new enough, else the official
 * download, else a build from source without the parts listed in lean-pulumi.ts.
 *
 * @param python installs Go for the build if there is none
 * @param full builds the complete CLI if it can't be downloaded
 * @returns the path of `pulumi`
 */
export async function findPulumi(python: Python, { full = false } = {}): Promise<string> {
  const own = ownPulumi();
  if (own !== null) return own;
  const folder = join(cacheFolder(), "pulumi", VERSION);
  if (existsSync(folder)) return join(folder, "pulumi");
  try {
    await installFolder(folder, async (temporary) => {
      try {
        await step(`Downloading the Pulumi CLI ${VERSION}`, () => downloadPulumi(temporary));
      } catch (error) {
        if (!(error instanceof Unreachable) || !full) throw error;
        sayUnreachable(error);
        await buildPulumi(temporary, python, "full");
      }
      checkVersion(temporary);
    });
    return join(folder, "pulumi");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return join(await installLean(error, python), "pulumi");
  }
}

/** In its own folder, so that it is never mistaken for the complete CLI. */
async function installLean(reason: Unreachable, python: Python): Promise<string> {
  const key = keyOf({ texts: [platform], paths: leanSources });
  const folder = join(cacheFolder(), "pulumi-lean", `${VERSION}-${key}`);
  await installFolder(folder, async (temporary) => {
    sayUnreachable(reason);
    await buildPulumi(temporary, python, "lean");
    checkVersion(temporary);
  });
  return folder;
}

function sayUnreachable({ message }: Unreachable): void {
  say(`The official download can't be used (${message}), so it is built from source.`);
}

function checkVersion(folder: string): void {
  const version = outputOf(join(folder, "pulumi"), ["version"]);
  if (version !== `v${VERSION}`) throw new SetupError(`the new Pulumi CLI says that it is version ${version}`);
}

/** The first `pulumi` on PATH that is new enough and has its language host, except ours. */
function ownPulumi(): string | null {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.startsWith(cacheFolder() + sep))
    .join(delimiter);
  const pulumi = which("pulumi", path);
  if (pulumi === null) return null;
  const version = outputOf(pulumi, ["version"])?.replace(/^v/, "") ?? "";
  const isInRange = compareVersions(version, VERSION) >= 0 && compareVersions(version, "4") < 0;
  const host = "pulumi-language-nodejs";
  const hasHost = which(host, path) !== null || existsSync(join(dirname(realpathSync(pulumi)), host));
  return isInRange && hasHost ? pulumi : null;
}

async function downloadPulumi(folder: string): Promise<void> {
  const mirror = process.env.CHANGELINGS_PULUMI_DOWNLOAD_URL;
  const archive = `pulumi-v${VERSION}-${process.platform}-${process.arch}.tar.gz`;
  const file = join(folder, archive);
  const expected = checksumIn(await downloadText(`${mirror ?? CHECKSUMS}/pulumi-${VERSION}-checksums.txt`), archive);
  const found = await download(`${mirror ?? RELEASES}/${archive}`, file);
  if (found !== expected) {
    throw new SetupError(
      `the download of ${archive} is not what its publisher signed for: its SHA-256 is ${found}, not ${expected}`,
      {
        remedy: "Try again. If the error stays, don't trust the network that the file came through.",
      },
    );
  }
  await run(["tar", "-xzf", file, "-C", folder, "--strip-components=1"], { log: "pulumi-download" });
  rmSync(file);
}
