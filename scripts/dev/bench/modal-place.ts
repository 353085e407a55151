import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { personEnvironment } from "../../../components/modal/identity.ts";
import { ensurePersonIdentity } from "../../../components/modal/machine-identity.ts";
import { type Emulator, startEmulator } from "../../../test/support/modal-emulator.ts";
import { timed } from "./measure.ts";

/** A machine whose user has mngr, and a Modal with only mngr's own environment. */
export interface ModalPlace extends AsyncDisposable {
  readonly home: string;
  /** mngr's, on Modal. */
  readonly environment: string;
  readonly env: NodeJS.ProcessEnv;
}

/** @param home is created; the caller removes it */
export async function modalPlace(home: string): Promise<ModalPlace> {
  const emulator = await startEmulator();
  try {
    return await placeAt(home, emulator);
  } catch (error) {
    await emulator.stop();
    throw error;
  }
}

async function placeAt(folder: string, emulator: Emulator): Promise<ModalPlace> {
  mkdirSync(folder, { recursive: true });
  const home = realpathSync(folder);
  const env = { ...machineEnvironment(home), ...emulator.env };
  const environment = personEnvironment(ensurePersonIdentity(env)) ?? "";
  await timed("modal", ["environment", "create", environment], { cwd: home, env });
  return { home, environment, env, [Symbol.asyncDispose]: () => emulator.stop() };
}

/** The environment variables of a machine with that home folder. */
export function machineEnvironment(home: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HOME: home,
    MNGR_HOST_DIR: join(home, ".mngr"),
    TMUX_TMPDIR: home,
    GIT_CONFIG_GLOBAL: "/dev/null",
    CI: "",
    BENCH_TOKEN: "of no use",
  };
}
