import type { ModalClient, Sandbox as SdkSandbox } from "modal";
import { messageOf } from "../../lib/as-error.ts";
import { ModalError } from "../../modal/modal-error.ts";
import { type ExecEnd, type ExecOptions, type Progress, type Sandbox, SandboxError, SandboxGone } from "../provider.ts";
import { sweep } from "../supervisor.ts";
import { execOnModal } from "./exec.ts";

/**
 * Sends requests to Modal as one step of a sandbox's life.
 *
 * @throws SandboxError that names the step
 */
export type Attempt = <Answer>(
  step: string,
  what: string,
  question: (client: ModalClient, options: { signal: AbortSignal }) => Promise<Answer>,
  seconds?: number,
) => Promise<Answer>;

const sweepSeconds = 30;
const syncSeconds = 60;
const endSeconds = 60;
const snapshotSeconds = 10 * 60;
const transferSeconds = 10;
/** How long a snapshot and the sandbox's end may take together. */
export const longestSaveSeconds = snapshotSeconds + transferSeconds + syncSeconds + endSeconds;
/** Paths may be missing, because not every sandbox has all volumes. */
const syncAll = 'for path do if [ -e "$path" ]; then sync "$path" || exit 1; fi; done';

export interface ModalSandboxParts {
  /** The paths of its volumes. */
  readonly mountPaths: readonly string[];
  readonly attempt: Attempt;
}

export class ModalSandbox implements Sandbox {
  readonly id: string;
  readonly #sandbox: SdkSandbox;
  readonly #mountPaths: readonly string[];
  readonly #attempt: Attempt;
  #isOver = false;

  constructor(id: string, sandbox: SdkSandbox, { mountPaths, attempt }: ModalSandboxParts) {
    this.id = id;
    this.#sandbox = sandbox;
    this.#mountPaths = mountPaths;
    this.#attempt = attempt;
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<ExecEnd> {
    if (this.#isOver) throw new SandboxGone(this.id);
    const run = () => execOnModal(this.#sandbox, argv, options, () => this.#hasEnded());
    // Longer than the program's own timeout.
    const end = await this.#attempt("exec", `${argv[0]} in ${this.id}`, run, options.timeoutSeconds + 120);
    if (end === undefined) throw new SandboxGone(this.id);
    return end;
  }

  /** Ends the programs that a killed service left running. @returns false if the sandbox is gone */
  async takeOver(): Promise<boolean> {
    try {
      const code = await this.#run(sweep, sweepSeconds);
      if (code === 0) return true;
      throw new SandboxError(
        "open",
        `the programs that still run in ${this.id} could not be ended (exit code ${code})`,
      );
    } catch (error) {
      if (await this.#hasEnded()) return false;
      throw error;
    }
  }

  async snapshot({ signal }: Progress = {}): Promise<string> {
    if (this.#isOver) throw new SandboxGone(this.id);
    // Kept until it is removed: by default Modal deletes it after 30 days.
    const options = { timeoutMs: snapshotSeconds * 1000, ttlMs: null };
    const take = () => this.#sandbox.snapshotFilesystem(options);
    const taken = this.#attempt("snapshot", `a snapshot of ${this.id}`, take, snapshotSeconds + transferSeconds);
    try {
      return (await untilAborted("snapshot", signal, taken)).imageId;
    } catch (error) {
      if (signal?.aborted) {
        const remove = (id: string) =>
          this.#attempt("snapshot", `the removal of ${id}`, ({ images }) => images.delete(id));
        void taken.then(({ imageId }) => remove(imageId)).catch(() => {});
      } else if (await this.#hasEnded()) throw new SandboxGone(this.id);
      throw error;
    }
  }

  /**
   * Saves the volumes first: Modal would do so at the sandbox's end, but only `sync` reports errors.
   *
   * @throws SandboxError also if the sandbox has ended, but changes on its volumes may be lost
   */
  async terminate(): Promise<void> {
    if (this.#isOver) return;
    const unsaved = await this.#save();
    const end = async () => {
      if ((await this.#sandbox.poll()) === null) await this.#sandbox.terminate({ wait: true });
    };
    try {
      await this.#attempt("terminate", `the end of ${this.id}`, end, endSeconds);
    } catch (error) {
      if (!(await this.#hasEnded())) throw error;
    }
    this.#isOver = true;
    this.#sandbox.detach();
    if (unsaved !== undefined) throw new SandboxError("terminate", unsaved);
  }

  /** @returns the problem, if changes on its volumes may be lost */
  async #save(): Promise<string | undefined> {
    if (this.#mountPaths.length === 0) return undefined;
    try {
      const code = await this.#run(["sh", "-c", syncAll, "sh", ...this.#mountPaths], syncSeconds);
      if (code === 0) return undefined;
      return `${this.id} has ended, but the last changes in ${this.#mountPaths.join(", ")} may be lost (exit code ${code})`;
    } catch (error) {
      // If the sandbox had already ended, Modal has saved them.
      if (await this.#hasEnded()) return undefined;
      return `${this.id} has ended, but the last changes in ${this.#mountPaths.join(", ")} may be lost: ${messageOf(error)}`;
    }
  }

  /** Runs a short program without supervision. @returns its exit code */
  #run(argv: readonly string[], seconds: number): Promise<number> {
    const options = { stdout: "ignore", stderr: "ignore", workdir: "/", timeoutMs: seconds * 1000 } as const;
    const run = async () => (await this.#sandbox.exec([...argv], options)).wait();
    return this.#attempt("exec", `${argv[0]} in ${this.id}`, run, seconds + 5);
  }

  /** False also if Modal does not answer. */
  async #hasEnded(): Promise<boolean> {
    try {
      const code = await this.#attempt("exec", `the state of ${this.id}`, () => this.#sandbox.poll());
      return code !== null;
    } catch (error) {
      return isNotFound(error);
    }
  }
}

/** @throws SandboxError if it is cancelled before the promise is settled */
export async function untilAborted<Answer>(
  step: string,
  signal: AbortSignal | undefined,
  promise: Promise<Answer>,
): Promise<Answer> {
  const { promise: cancelled, reject } = Promise.withResolvers<never>();
  const cancel = () => reject(new SandboxError(step, "cancelled"));
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  promise.catch(() => {});
  try {
    return await Promise.race([cancelled, promise]);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof SandboxError && error.cause instanceof ModalError && error.cause.kind === "not_found";
}
