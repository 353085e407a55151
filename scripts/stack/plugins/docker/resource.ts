import { setTimeout as sleep } from "node:timers/promises";
import type { Bag } from "../wire.ts";
import type { Daemon } from "./daemon.ts";
import type { Fields } from "./fields.ts";

/** The context of an operation. */
export interface Task {
  readonly daemon: Daemon;
  readonly canceled: AbortSignal;
  /** Shows a line beside the resource while the operation runs. */
  readonly log: (line: string) => Promise<void>;
}

/** @throws the reason of the cancellation */
export const pause = ({ canceled }: Task, milliseconds: number): Promise<void> =>
  sleep(milliseconds, undefined, { signal: canceled }).catch(() => canceled.throwIfAborted());

/** One supported type of resource. Inputs and states are in wire form, checked, without unknown values. */
export interface Resource {
  readonly token: string;
  readonly fields: Fields;
  /** What the official plugin's states contain for inputs that are not supported here. */
  readonly constants: Bag;
  /** Outputs that are not inputs; unknown until the resource exists. */
  readonly results: readonly string[];
  create(task: Task, inputs: Bag): Promise<{ id: string; state: Bag }>;
  /** The current state; undefined if the resource no longer exists. */
  read(task: Task, id: string, state: Bag): Promise<Bag | undefined>;
  /** Applies the changes that are possible in place. */
  update(task: Task, id: string, state: Bag, inputs: Bag): Promise<void>;
  /** A resource that no longer exists is no error. */
  delete(task: Task, id: string, state: Bag): Promise<void>;
}
