import * as z from "zod/mini";
import { runProgram } from "../../lib/process.ts";
import { type Agent, type CreateRunOptions, type Mngr, MngrError, mngrClient } from "../../mngr/client.ts";
import {
  destroyHostArguments,
  forgetSnapshotArguments,
  hostSnapshotArguments,
  type MachineProvider,
  startArguments,
} from "../../mngr/machine-arguments.ts";
import { errorLine } from "../../mngr/output.ts";

export type { MachineProvider } from "../../mngr/machine-arguments.ts";

/** mngr for the agents of one provider, each on a separate host. Addresses have the form `ID@HOST_ID.PROVIDER`. */
export interface MngrOnMachines extends Pick<Mngr, "exec" | "capture" | "rename" | "stop"> {
  /** mngr's environment. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Like `Mngr.create`.
   * @param options.variables additional environment for this call only; they are stored nowhere
   */
  create(
    args: readonly string[],
    options: CreateRunOptions & { readonly variables: Readonly<Record<string, string>> },
  ): ReturnType<Mngr["create"]>;
  /**
   * All agents of the provider that this mngr knows.
   * @throws MngrError if any part of the provider could not be read
   */
  agents(): Promise<readonly Agent[]>;
  /**
   * Starts a stopped agent, and its host if that has ended.
   * @throws MngrError
   */
  start(address: string, options?: { isRestarted: boolean }): Promise<void>;
  /**
   * @returns the snapshot's id
   * @throws MngrError
   */
  snapshot(address: string): Promise<string>;
  /**
   * Removes a snapshot from mngr's records, so that the machine no longer starts from it.
   * @throws MngrError
   */
  forgetSnapshot(address: string, snapshot: string): Promise<void>;
  /**
   * Succeeds if the host is gone.
   * @param host its name
   * @throws MngrError
   */
  destroyHost(host: string): Promise<void>;
}

/** Enough to build a machine from its image, start it, or snapshot it. */
const startSeconds = 600;
const otherSeconds = 180;

const snapshotted = z.object({ snapshots_created: z.array(z.object({ snapshot_id: z.string() })) });

/**
 * @param env mngr's whole environment
 * @param signal ends mngr processes of calls that only read
 */
export function mngrOnMachines(
  provider: MachineProvider,
  env: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): MngrOnMachines {
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
      const { agents, isComplete } = await list([provider]);
      if (isComplete) return agents;
      throw new MngrError(`mngr could not read all of its hosts; see: mngr list --provider ${provider}`);
    },
    async start(address, options = { isRestarted: false }) {
      await run(startArguments(address, options), startSeconds);
    },
    async snapshot(address) {
      const made = snapshotted.parse(JSON.parse(await run(hostSnapshotArguments(address), startSeconds)));
      const [snapshot] = made.snapshots_created;
      if (snapshot === undefined) throw new MngrError(`mngr did not create a snapshot of ${address}`);
      return snapshot.snapshot_id;
    },
    async forgetSnapshot(address, snapshot) {
      await run(forgetSnapshotArguments(address, snapshot), otherSeconds);
    },
    async destroyHost(host) {
      await run(destroyHostArguments(provider, host), otherSeconds);
    },
  };
}
