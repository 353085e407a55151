import { versions } from "./cache.mjs";
import { buildGoProgram, type GoProgram, withGo } from "./go.ts";
import { LEAN_MODULES, writeLeanModule } from "./lean-pulumi.ts";
import { SetupError, step } from "./progress.mjs";
import type { Python } from "./python.ts";

/**
 * The last version of the language host that is its own Go module; later ones are only in official downloads. It works
 * with newer engines and SDKs.
 */
const LANGUAGE_HOST: GoProgram = {
  name: "pulumi-language-nodejs",
  module: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
};

const CLI: GoProgram = {
  name: "pulumi",
  module: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
  flags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.pulumi}`,
};

const LEAN_CLI: GoProgram = {
  ...CLI,
  replaced: LEAN_MODULES.map((lean) => ({
    module: lean.module,
    version: lean.version,
    write: (original, folder) => writeLeanModule(lean, original, folder),
  })),
};

/** The CLI's share of the progress. The language host shares most of its packages. */
const CLI_PART = 0.88;

/**
 * Builds the CLI and its language host into a folder, from Go modules whose hashes are in go/<program>/go.sum.
 *
 * @param parts `lean` omits the parts listed in lean-pulumi.ts
 */
export async function buildPulumi(folder: string, python: Python, parts: "lean" | "full"): Promise<void> {
  await withGo(python, async (go) => {
    let fraction: () => number | null = () => null;
    const build = async (): Promise<void> => {
      await buildGoProgram(go, parts === "lean" ? LEAN_CLI : CLI, folder, (part) => {
        fraction = () => CLI_PART * part();
      });
      await buildGoProgram(go, LANGUAGE_HOST, folder, (part) => {
        fraction = () => CLI_PART + (1 - CLI_PART) * part();
      });
    };
    try {
      const title = `Building the Pulumi CLI ${versions.pulumi} from source, once`;
      await step(title, build, { fraction: () => fraction() });
    } catch (error) {
      if (error instanceof SetupError) {
        error.remedy = `Check that Go can reach its module proxy, or install Pulumi ${versions.pulumi} or later yourself: https://www.pulumi.com/docs/install`;
      }
      throw error;
    }
  });
}
