import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder, platform } from "../../scripts/setup/cache.mjs";
import { installFolder } from "../../scripts/setup/install.mjs";
import { NPM_FLAGS, npm } from "../../scripts/setup/npm.mjs";
import { run } from "../../scripts/setup/run.mjs";

const versions = { "@anthropic-ai/claude-code": "2.1.332", "@openai/codex": "0.171.0" };

/** Installs the real CLIs once. @returns the folder with `claude` and `codex` */
export async function agentClis(): Promise<string> {
  const key = Object.values(versions).join("-");
  const folder = join(cacheFolder(), "agent-clis", `${platform}-${key}`);
  await installFolder(folder, async (temporary) => {
    writeFileSync(join(temporary, "package.json"), JSON.stringify({ dependencies: versions }));
    await run([...npm(process.execPath), "install", ...NPM_FLAGS], { log: "agent-clis", cwd: temporary });
    const bin = join(temporary, "bin");
    mkdirSync(bin);
    // Without install scripts the package's own `claude` is a placeholder.
    const native = readdirSync(join(temporary, "node_modules/@anthropic-ai")).find((name) => name.includes("-code-"));
    symlinkSync(`../node_modules/@anthropic-ai/${native}/claude`, join(bin, "claude"));
    symlinkSync("../node_modules/.bin/codex", join(bin, "codex"));
    symlinkSync(process.execPath, join(bin, "node"));
  });
  return join(folder, "bin");
}

/** A PATH with the folder and the system's programs. */
export function pathWith(folder: string): string {
  return [folder, dirname(process.execPath), "/usr/local/bin", "/usr/bin", "/bin"].join(":");
}
