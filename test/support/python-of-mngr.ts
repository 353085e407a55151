import { dirname } from "node:path";
import { readToolchain } from "../../scripts/setup/toolchain.mjs";

/** The interpreter of mngr's environment. */
export function pythonOfMngr(): string {
  return toolchain().python;
}

/** The folder of the real mngr. First on PATH, it takes the place of the client in warm-mngr/. */
export function folderOfMngr(): string {
  return dirname(toolchain().mngr);
}

function toolchain() {
  const found = readToolchain();
  if (found === null) throw new Error("mngr is not set up; run the tests with: npm test");
  return found;
}
