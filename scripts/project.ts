import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds Pulumi.yaml. */
export const projectFolder = dirname(dirname(fileURLToPath(import.meta.url)));
