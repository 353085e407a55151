import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { readJson, writePrivateFile } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { type ModalToken, modalToken } from "../../modal/token.ts";

const file = z.object({ id: z.string(), secret: z.string() });

/**
 * Keeps the Modal token of the person who runs `pulumi up` for the forwarding server, which needs it to look for agents
 * on Modal later. A token in Modal's own file is not kept, because the server finds it there.
 */
export function keepModalToken(paths: InstallationPaths, env: NodeJS.ProcessEnv): void {
  const token = modalToken(env);
  if (token === undefined || tokenOfFile(env) !== undefined) rmSync(pathOf(paths), { force: true });
  else writePrivateFile(pathOf(paths), `${JSON.stringify(token)}\n`);
}

/**
 * The token for the forwarding server.
 * @returns undefined to use what Modal's clients find by themselves
 */
export function keptModalToken(paths: InstallationPaths, env: NodeJS.ProcessEnv): ModalToken | undefined {
  return file.safeParse(readJson(pathOf(paths))).data ?? modalToken(env);
}

function tokenOfFile(env: NodeJS.ProcessEnv): ModalToken | undefined {
  const isToken = (name: string) => isModalVariable(name) && name.includes("_TOKEN_");
  return modalToken(Object.fromEntries(Object.entries(env).filter(([name]) => !isToken(name))));
}

function pathOf({ forwarding }: InstallationPaths): string {
  return join(forwarding, "modal-token.json");
}
