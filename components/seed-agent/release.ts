import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { componentsFolder, programVersion } from "../host/supervision/program-version.ts";

/** The service's module in `components/`, without extension. */
export const program = "seed-agent/program/main";
/** npm packages whose new releases are a new release of the service. */
const packages = ["fastify", "pg", "prom-client", "zod", "esbuild", "typescript"];

let known: string | undefined;

/**
 * Identifies the program that is deployed: 16 hexadecimal digits of a hash of its modules, of the version that it brings,
 * and of the packages that it runs on. It is the same in every checkout of a commit.
 */
export function currentRelease(): string {
  known ??= fingerprint();
  return known;
}

function fingerprint(): string {
  const hash = createHash("sha256").update(programVersion(program, packages));
  const brought = join(componentsFolder, "seed-agent/program/first-version");
  for (const file of readdirSync(brought).sort()) hash.update(`${file}\0`).update(readFileSync(join(brought, file)));
  hash.update(readFileSync(join(componentsFolder, "seed-agent/program/seed.d.ts")));
  return hash.digest("hex").slice(0, 16);
}
