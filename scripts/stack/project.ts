import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds Pulumi.yaml. */
export const projectFolder = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
