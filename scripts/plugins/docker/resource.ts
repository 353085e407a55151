import { setTimeout as sleep } from "node:timers/promises";
import type { Bag } from "../wire.ts";
import type { Daemon } from "./daemon.ts";
import type { Fields } from "./fields.ts";

/** What an operation has to work with. */
export interface Task {
  readonly daemon: Daemon;
  readonly canceled: AbortSignal;
  /** Shows a line beside the resource while the operation is under way. */
  readonly log: (line: string) => Promise<void>;
}

/** @throws what the cancellation gave as its reason */
export const pause = ({ canceled }: Task, milliseconds: number): Promise<void> =>
  sleep(milliseconds, undefined, { signal: canceled }).catch(() => canceled.throwIfAborted());

/** One type of resource that is served. Inputs and states come as they travel, checked, without unknown values. */
export interface Resource {
  readonly token: string;
  readonly fields: Fields;
  /** What the official plugin's states hold for inputs that are not served here. */
  readonly constants: Bag;
  /** Outputs that are no inputs; not known before the resource is there. */
  readonly results: readonly string[];
  create(task: Task, inputs: Bag): Promise<{ id: string; state: Bag }>;
  /** The state as it is now; undefined when the resource is gone. */
  read(task: Task, id: string, state: Bag): Promise<Bag | undefined>;
  /** Changes what can be changed in place. */
  update(task: Task, id: string, state: Bag, inputs: Bag): Promise<void>;
  /** One that is gone is fine. */
  delete(task: Task, id: string, state: Bag): Promise<void>;
}
