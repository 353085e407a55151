import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Toolchain } from "../../../scripts/stack/setup/toolchain.mjs";

const inFolder = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * Lets tests' calls of mngr and modal run in forks of one process that has their modules already: importing them takes
 * a second or two of processor time, and tests make hundreds of calls. Until that process is ready, and where it can't
 * serve, the real program is executed. What a user starts by `scripts/stack/launch.mjs` always uses the real one.
 *
 * @returns the PATH for tests, and how to end the process
 */
export function startWarmMngr({ python, mngr, modal }: Toolchain, path: string): { path: string; end: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "warm-mngr-"));
  const socket = join(folder, "socket");
  // To a shell the second line starts Python with this file; to Python it is a text.
  const start = `'''exec' '${python}' -ISE "$0" "$@" #'''`;
  for (const [name, program] of Object.entries({ mngr, modal })) {
    const client = readFileSync(inFolder("client.py"), "utf8")
      .replace('"<PROGRAM>"', JSON.stringify(realpathSync(program)))
      .replace('"<SOCKET>"', JSON.stringify(socket));
    writeFileSync(join(folder, name), `#!/bin/sh\n${start}\n${client}`, { mode: 0o755 });
  }
  const server = spawn(python, [inFolder("server.py"), socket], { stdio: ["pipe", "ignore", "inherit"] });
  server.unref();
  return {
    path: [folder, path].join(delimiter),
    end: () => {
      server.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
