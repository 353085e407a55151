import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { readJson, writePrivateFile } from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { type ModalToken, modalToken } from "../../modal/token.ts";

const file = z.object({ id: z.string(), secret: z.string() });

/**
 * Keeps the Modal token of whoever runs `pulumi up` for the forwarding server, which looks at agents on Modal long
 * after; not when it is in Modal's own file, where the server finds it too.
 */
export function keepModalToken(paths: InstallationPaths, env: NodeJS.ProcessEnv): void {
  const token = modalToken(env);
  if (token === undefined || tokenOfFile(env) !== undefined) rmSync(pathOf(paths), { force: true });
  else writePrivateFile(pathOf(paths), `${JSON.stringify(token)}\n`);
}

/** For the forwarding server. @returns undefined: what Modal's clients find by themselves */
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
