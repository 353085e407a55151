import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull, writePrivateFile } from "../host/files.ts";
import { isModalVariable } from "./environment.ts";
import { type ModalToken, modalToken } from "./token.ts";

const file = z.object({ id: z.string(), secret: z.string() });

/**
 * Keeps the Modal token of the person who runs `pulumi up` for a service that needs it later: the forwarding server, to
 * find agents, and the session service, to create sandboxes. A token in Modal's own file is not kept, because the
 * service finds it there.
 *
 * @param folder the service's own
 */
export function keepModalToken(folder: string, env: NodeJS.ProcessEnv): void {
  const token = modalToken(env);
  if (token === undefined || tokenOfFile(env) !== undefined) rmSync(pathIn(folder), { force: true });
  else writePrivateFile(pathIn(folder), `${JSON.stringify(token)}\n`);
}

/** The token for the service. One in the environment takes precedence, and a damaged file counts as none. */
export function keptModalToken(folder: string, env: NodeJS.ProcessEnv): ModalToken | undefined {
  return modalToken(env, file.safeParse(readJsonOrNull(pathIn(folder))).data);
}

function tokenOfFile(env: NodeJS.ProcessEnv): ModalToken | undefined {
  const isToken = (name: string) => isModalVariable(name) && name.includes("_TOKEN_");
  return modalToken(Object.fromEntries(Object.entries(env).filter(([name]) => !isToken(name))));
}

function pathIn(folder: string): string {
  return join(folder, "modal-token.json");
}
