import * as z from "zod/mini";
import { type Agent, errorLine, type Mngr, MngrError, mngrClient } from "../../mngr/client.ts";
import {
  destroyHostArguments,
  forgetSnapshotArguments,
  hostSnapshotArguments,
  startArguments,
} from "../../mngr/modal-arguments.ts";
import { modalEnvironment } from "../../modal/environment.ts";
import { personIdentity } from "../../modal/identity.ts";
import { runProgram } from "../../modal/run-program.ts";
import type { ModalToken } from "../../modal/token.ts";
import { shutdownBufferSeconds } from "./place.ts";

/** mngr as a stack uses it on Modal: this machine's, in the stack's environment there. Addresses are `ID@HOST_ID.modal`. */
export interface MngrOnModal extends Pick<Mngr, "exec" | "capture" | "rename" | "stop"> {
  /** What it gets to see. */
  readonly env: Readonly<Record<string, string>>;
  /** As `Mngr.create`. @param options.variables what it gets to see beside the rest; nothing keeps them */
  create(
    args: readonly string[],
    options: { cwd: string; file: number; variables: Readonly<Record<string, string>> },
  ): ReturnType<Mngr["create"]>;
  /** All agents of the stack's environment. @throws MngrError when mngr could not look everywhere */
  agents(): Promise<readonly Agent[]>;
  /** Starts an agent that is stopped, and its host when that has ended. @throws MngrError */
  start(address: string, options?: { isRestarted: boolean }): Promise<void>;
  /** @returns the snapshot's id @throws MngrError */
  snapshot(address: string): Promise<string>;
  /** The machine starts from it no more. @throws MngrError */
  forgetSnapshot(address: string, snapshot: string): Promise<void>;
  /** One that is gone is fine. @param host its name @throws MngrError */
  destroyHost(host: string): Promise<void>;
}

export interface MngrPlace {
  /** Where this machine's mngr acts as the stack (see `ensureMachineIdentity`). */
  readonly hostDir: string;
  /** mngr_profile of the fleet. */
  readonly mngrProfile: string | undefined;
  /** undefined: what its clients find by themselves. */
  readonly token: ModalToken | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** A machine is made from its image, starts, or is snapshotted. */
const startSeconds = 600;
const otherSeconds = 180;

const snapshotted = z.object({ snapshots_created: z.array(z.object({ snapshot_id: z.string() })) });

/** @param signal ends whatever of mngr runs for the calls that only look */
export function mngrOnModal(place: MngrPlace, signal?: AbortSignal): MngrOnModal {
  const env = environmentOf(place);
  const { list, exec, capture, rename, stop } = mngrClient(env, signal);
  const run = async (args: readonly string[], timeoutSeconds: number) => {
    const { code, stdout, stderr } = await runProgram("mngr", args, { env, timeoutSeconds });
    if (code !== 0) throw new MngrError(`mngr ${args[0]} failed (exit status ${code}): ${errorLine(stderr)}`);
    return stdout;
  };
  return {
    env,
    exec,
    create: (args, { variables, ...options }) => mngrClient({ ...env, ...variables }).create(args, options),
    capture,
    rename,
    stop,
    async agents() {
      const { agents, isComplete } = await list(["modal"]);
      if (!isComplete) throw new MngrError("mngr could not look at Modal; see: mngr list --provider modal");
      return agents;
    },
    async start(address, options = { isRestarted: false }) {
      await run(startArguments(address, options), startSeconds);
    },
    async snapshot(address) {
      const made = snapshotted.parse(JSON.parse(await run(hostSnapshotArguments(address), startSeconds)));
      const [snapshot] = made.snapshots_created;
      if (snapshot === undefined) throw new MngrError(`mngr made no snapshot of ${address}`);
      return snapshot.snapshot_id;
    },
    async forgetSnapshot(address, snapshot) {
      await run(forgetSnapshotArguments(address, snapshot), otherSeconds);
    },
    async destroyHost(host) {
      await run(destroyHostArguments(host), otherSeconds);
    },
  };
}

/**
 * A host's files, the agent's environment among them, must be on mngr's volume, and a machine must have a snapshot from
 * its first hour on: so the person's settings have no say in that.
 */
const settings = {
  MNGR__PROVIDERS__MODAL__IS_HOST_VOLUME_CREATED: "true",
  MNGR__PROVIDERS__MODAL__IS_SNAPSHOTTED_AFTER_CREATE: "true",
  MNGR__PROVIDERS__MODAL__SHUTDOWN_BUFFER_SECONDS: String(shutdownBufferSeconds),
};

function environmentOf({ hostDir, mngrProfile, token, env }: MngrPlace): Record<string, string> {
  const own = modalEnvironment(env);
  const isAside = hostDir !== personIdentity(env, { profile: mngrProfile }).hostDir;
  // They would win over what a host dir says that was put aside for the stack.
  if (isAside) for (const name of ["MNGR_PREFIX", "MNGR_USER_ID"]) delete own[name];
  return {
    ...own,
    ...settings,
    ...(token === undefined ? {} : { MODAL_TOKEN_ID: token.id, MODAL_TOKEN_SECRET: token.secret }),
    MNGR_HOST_DIR: hostDir,
    MNGR_HEADLESS: "1",
  };
}
