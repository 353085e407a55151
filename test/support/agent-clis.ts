import { dirname, join } from "node:path";
import { setUpSandboxTools } from "../../scripts/stack/setup/sandbox-tools.ts";

/** Installs the real CLIs of the image once. @returns a PATH with them and the system's programs */
export async function agentPath(): Promise<string> {
  const { parts } = await setUpSandboxTools(["claude", "codex"]);
  const programs = join(import.meta.dirname, "agent-programs");
  return pathWith(programs, ...Object.values(parts).map((folder) => join(folder, "node_modules/.bin")));
}

function pathWith(...folders: string[]): string {
  return [...folders, dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"].join(":");
}
