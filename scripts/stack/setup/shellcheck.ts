import { join } from "node:path";
import { pythonInUse } from "./python.ts";
import { installPythonLock } from "./python-environment.ts";
import { which } from "./toolchain.mjs";

/** Returns the path of shellcheck: from PATH, else from PyPI in the cache. */
export async function findShellcheck(): Promise<string> {
  const own = which("shellcheck");
  if (own !== null) return own;
  return join(await installPythonLock("-shellcheck", "Installing shellcheck", await pythonInUse()), "bin/shellcheck");
}
