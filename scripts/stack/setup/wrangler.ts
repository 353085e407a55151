import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cacheFolder, checkout, keyOf, platform } from "./cache.mjs";
import { installFolder } from "./install.mjs";
import { NPM_FLAGS, npm } from "./npm.mjs";
import { step } from "./progress.mjs";
import { run, runSetup } from "./run.mjs";

const sources = "components/sandbox/sessions/cloudflare/wrangler";

/** Finds Cloudflare's wrangler in the cache, or installs it there from its lock file. @returns its program's path */
async function setUpWrangler(): Promise<string> {
  const folder = join(cacheFolder(), "wrangler", keyOf({ texts: [platform], paths: [sources] }));
  await installFolder(folder, (temporary) =>
    step("Installing wrangler (230 MB, once)", async () => {
      for (const file of ["package.json", "package-lock.json"]) {
        copyFileSync(join(checkout, sources, file), join(temporary, file));
      }
      // Without install scripts: its compiler and its workerd are not used.
      await run([...npm(process.execPath), "ci", ...NPM_FLAGS], {
        ...{ log: "wrangler", cwd: temporary, timeoutSeconds: 900 },
      });
    }),
  );
  return join(folder, "node_modules/wrangler/bin/wrangler.js");
}

/** As a program: prints the path of wrangler's program on stdout. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await runSetup(async () => {
    process.stdout.write(`${await setUpWrangler()}\n`);
  });
}
