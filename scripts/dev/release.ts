/**
 * `npm run release-micro` and `npm run release-baseline`: verifies, raises the version, and leaves a commit and an
 * annotated tag. Nothing is pushed. A release that fails changes nothing.
 */
import { parseArgs } from "node:util";
import { checkout } from "../setup/cache.mjs";
import { ReleaseError, release } from "./release/release.ts";

const help = `Usage: npm run release-micro|release-baseline -- [--dry-run]

  release-micro     raises the patch number, verifies (checks and tests), tags vX.Y.Z
  release-baseline  raises the minor number, verifies, requires a coverage of 85 %, tags baseline-vX.Y.0
  --dry-run         says what would happen, and changes nothing

Both need a clean working tree. Push with: git push origin HEAD --tags
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "dry-run": { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
});
const [kind, ...more] = positionals;
if (values.help) process.stdout.write(help);
else if ((kind !== "micro" && kind !== "baseline") || more.length > 0) {
  process.stderr.write(help);
  process.exitCode = 2;
} else {
  try {
    await release(kind, {
      folder: checkout,
      dryRun: values["dry-run"],
      print: (line) => process.stdout.write(`${line}\n`),
    });
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
