import { runProgram } from "../../components/lib/process.ts";
import { modalClient } from "../../components/modal/client.ts";
import { modalEnvironment } from "../../components/modal/environment.ts";
import type { ModalToken } from "../../components/modal/token.ts";

/** This also removes its apps, secrets, volumes and sandboxes. */
export async function removeModalEnvironment(name: string, token: ModalToken, env: NodeJS.ProcessEnv): Promise<void> {
  const client = modalClient({ token, env });
  if (!(await client.environments()).includes(name)) return;
  const { code, stderr } = await runProgram("modal", ["environment", "delete", name, "--yes"], {
    env: { ...modalEnvironment(env), MODAL_TOKEN_ID: token.id, MODAL_TOKEN_SECRET: token.secret },
    timeoutSeconds: 120,
  });
  const remedy = `remove it with: modal environment delete ${name} --yes`;
  if (code !== 0) throw new Error(`the environment could not be removed; ${remedy}\n${stderr}`);
  if ((await client.environments()).includes(name)) throw new Error(`the environment is still there; ${remedy}`);
}
