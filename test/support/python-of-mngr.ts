import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** The interpreter of mngr's environment: it is beside the mngr on PATH. */
export function pythonOfMngr(): string {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const mngr = join(folder, "mngr");
    if (existsSync(mngr)) return join(dirname(realpathSync(mngr)), "python");
  }
  throw new Error("mngr is not on PATH; run the tests with: npm test");
}
