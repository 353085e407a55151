import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";

export interface FilePart {
  readonly text: string;
  /** Of the whole file, in bytes. */
  readonly size: number;
  /** The last write, in milliseconds since 1970. */
  readonly changedAt: number;
}

export interface PartOptions {
  readonly mostBytes: number;
  /** The first byte to read of a file of this size; by default 0. May be negative. */
  readonly startOf?: (size: number) => number;
}

/** A terminal must not become this process's own, because its end would then end this process. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * Reads a part of a regular file at a path that another program controls. Never waits for that program, and never reads
 * from anything else: a FIFO, a device, a socket, a folder. Follows links.
 *
 * @returns undefined if there is no such file, or it can't be read
 */
export function readRegularFile(path: string, { mostBytes, startOf = () => 0 }: PartOptions): FilePart | undefined {
  let file: number | undefined;
  try {
    // Opening a device can already have an effect.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
    file = openSync(path, flags);
    // It may have been replaced since.
    const status = fstatSync(file, { bigint: true });
    if (!status.isFile()) return undefined;
    const size = Number(status.size);
    const start = Math.max(0, startOf(size));
    const bytes = Buffer.alloc(Math.max(0, Math.min(mostBytes, size - start)));
    const text = bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, start));
    return { text, size, changedAt: Number(status.mtimeNs / 1_000_000n) };
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
