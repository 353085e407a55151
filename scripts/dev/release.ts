/**
 * `npm run release-micro` and `npm run release-baseline`: verifies, raises the version, and leaves a commit and an
 * annotated tag. Nothing is pushed. A release that fails changes nothing.
 */
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { checkout } from "../stack/setup/cache.mjs";
import { ReleaseError, release } from "./release/release.ts";

const { values, operands } = argumentsOf("release");
const [kind, ...more] = operands;
if ((kind !== "micro" && kind !== "baseline") || more.length > 0) {
  process.stderr.write("error: release one of them: npm run release-micro, or npm run release-baseline\n");
  process.exitCode = 2;
} else {
  try {
    await release(kind, {
      folder: checkout,
      dryRun: values["dry-run"] === true,
      print: (line) => process.stdout.write(`${line}\n`),
    });
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
