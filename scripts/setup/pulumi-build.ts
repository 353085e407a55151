import { versions } from "./cache.mjs";
import { buildGoProgram, withGo } from "./go.ts";
import { SetupError, step } from "./progress.mjs";
import type { Python } from "./python.ts";

/**
 * The language host is the last one that is a Go module of its own; later ones are only in official downloads.
 * It works with newer engines and SDKs.
 */
const PROGRAMS = [
  { name: "pulumi-language-nodejs", module: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs" },
  { name: "pulumi", module: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" },
] as const;

const VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/** Builds the CLI and its language host into a folder, from Go modules whose hashes stand in go/<program>/go.sum. */
export async function buildPulumi(folder: string, python: Python): Promise<void> {
  await withGo(python, async (go) => {
    try {
      await step(`Building the Pulumi CLI ${versions.pulumi} from source (about 8 minutes, once)`, async () => {
        for (const { name, module } of PROGRAMS) {
          const flags = name === "pulumi" ? `-X ${VERSION_VARIABLE}=v${versions.pulumi}` : "";
          await buildGoProgram({ go, name, module, folder, flags });
        }
      });
    } catch (error) {
      if (error instanceof SetupError) {
        error.remedy = `Check that Go can reach its module proxy, or install Pulumi ${versions.pulumi} or later yourself: https://www.pulumi.com/docs/install`;
      }
      throw error;
    }
  });
}
