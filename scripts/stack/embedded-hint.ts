import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { devFolder, devStack } from "./dev-stack.ts";
import { backendOf } from "./stack.ts";

/** The commands that need an existing stack. */
const onStack = new Set(["preview", "up", "destroy", "refresh", "config", "cancel", "logs", "console", "stack"]);

/**
 * What to do after a failed `npm run pulumi`, if the user may have meant the stack of `npm start`: it has a backend of
 * its own, which Pulumi does not know of.
 *
 * @param words of the command line, without options
 * @param name of the stack that the user named; undefined: none
 */
export function embeddedHint(
  words: readonly string[],
  name: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const home = env["HOME"] || homedir();
  const stack = devStack(home);
  const [command = "", sub = ""] = words;
  const isAboutStack = onStack.has(command) && !(command === "stack" && ["init", "ls"].includes(sub));
  if (!existsSync(join(devFolder(home), "stack-made")) || !isAboutStack) return undefined;
  if (name !== undefined && name !== stack.name) return undefined;
  const backend = env["PULUMI_BACKEND_URL"] || backendOf({ name: stack.name }, home);
  if (backend === stack.backend || hasStack(stack.name, env)) return undefined;
  const variables = `PULUMI_BACKEND_URL=${stack.backend} PULUMI_CONFIG_PASSPHRASE_FILE=${stack.passphraseFile}`;
  return [
    `note: this backend has no stack "${stack.name}". The one of npm start is in a backend of its own; work on it with:`,
    "  npm run changeling -- plan    what the next npm start changes",
    "  npm start                     apply its fleet file, ~/.changelings/dev/fleet.toml",
    "or with Pulumi itself:",
    `  ${variables} npm run pulumi -- stack --stack ${stack.name}`,
    `  (add to preview, up, destroy, refresh and config: --config-file ${stack.configFile})`,
    "",
  ].join("\n");
}

const listed = z.array(z.object({ name: z.string() }));

/** Whether the backend that the user has chosen can be asked, and has a stack of this project with that name. */
function hasStack(name: string, env: NodeJS.ProcessEnv): boolean {
  const { status, stdout } = spawnSync("pulumi", ["stack", "ls", "--json", "--non-interactive"], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 15_000,
  });
  if (status !== 0) return false;
  try {
    return listed.parse(JSON.parse(stdout)).some((each) => each.name.split("/").at(-1) === name);
  } catch {
    return false;
  }
}
