import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { componentsFolder, programVersion } from "../host/supervision/program-version.ts";

/** The service's module in `components/`, without extension. */
const program = "seed-agent/program/main";
/** The npm packages of the service. A new release of one is a new release of the service. */
const packages = ["fastify", "pg", "prom-client", "zod", "esbuild", "typescript"];

let known: string | undefined;

/**
 * Identifies the deployed program: 16 hexadecimal digits of a hash of its modules, of the first version of the agent's code,
 * and of the packages that it uses. It is the same in every checkout of a commit.
 */
export function currentRelease(): string {
  known ??= fingerprint();
  return known;
}

function fingerprint(): string {
  const hash = createHash("sha256").update(programVersion(program, packages));
  const first = join(componentsFolder, "seed-agent/program/first-version");
  for (const file of readdirSync(first).sort()) hash.update(`${file}\0`).update(readFileSync(join(first, file)));
  hash.update(readFileSync(join(componentsFolder, "seed-agent/program/seed.d.ts")));
  return hash.digest("hex").slice(0, 16);
}
