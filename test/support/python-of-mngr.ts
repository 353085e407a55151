import { readToolchain } from "../../scripts/stack/setup/toolchain.mjs";

/** The interpreter of mngr's environment. */
export function pythonOfMngr(): string {
  const found = readToolchain();
  if (found === null) throw new Error("mngr is not set up; run the tests with: npm test");
  return found.python;
}
