import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";

/** The order of Go's sort: by bytes, not by UTF-16 units. */
export const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Adds a file's content to a hash. */
export async function feed(hash: Hash, path: string): Promise<void> {
  const stream = createReadStream(path);
  stream.on("data", (chunk) => hash.update(chunk));
  await finished(stream);
}

/**
 * Pulumi's hash of an archive: SHA-256 of a tar of the files, with mode 600 and no times, as Go's archive/tar writes
 * it. `paths` are relative to `root`.
 */
export async function archiveHash(root: string, paths: string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths.toSorted(compareBytes)) {
    const { size } = await stat(join(root, path));
    hash.update(fileHeader(path, size));
    await feed(hash, join(root, path));
    hash.update(Buffer.alloc(padding(size)));
  }
  return hash.update(Buffer.alloc(1024)).digest("hex");
}

const padding = (size: number): number => (512 - (size % 512)) % 512;

/** A USTAR header if the name fits, else a PAX record before it. */
function fileHeader(path: string, size: number): Buffer {
  const split = splitName(path);
  if (split !== undefined) return header({ ...split, size, mode: 0o600, type: "0", devices: true });
  const record = paxRecord("path", path);
  const slash = path.lastIndexOf("/") + 1;
  const paxName = `${path.slice(0, slash)}PaxHeaders.0/${path.slice(slash)}`;
  return Buffer.concat([
    header({ name: toName(paxName), prefix: "", size: record.length, mode: 0, type: "x", devices: false }),
    record,
    Buffer.alloc(padding(record.length)),
    header({ name: toName(path), prefix: "", size, mode: 0o600, type: "0", devices: true }),
  ]);
}

/** The longest part that fits into a header's name field: ASCII, 100 bytes. */
const toName = (path: string): string => path.replace(/[\u0080-\u{10ffff}]/gu, "").slice(0, 100);

/** Accepts an ASCII path of at most 100 bytes, or one that can be split at a slash into at most 155 and 100. */
function splitName(path: string): { name: string; prefix: string } | undefined {
  if (Buffer.byteLength(path) !== path.length) return undefined;
  if (path.length <= 100) return { name: path, prefix: "" };
  const cut = path.slice(0, 156).lastIndexOf("/");
  const name = path.slice(cut + 1);
  return cut > 0 && name.length <= 100 ? { name, prefix: path.slice(0, cut) } : undefined;
}

/** `<length> key=value\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const body = Buffer.byteLength(` ${key}=${value}\n`);
  let length = body;
  while (body + String(length).length !== length) length = body + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

interface Header {
  name: string;
  prefix: string;
  size: number;
  mode: number;
  type: "0" | "x";
  /** Whether to write the device fields. Go leaves them empty in a PAX header. */
  devices: boolean;
}

function header({ name, prefix, size, mode, type, devices }: Header): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, offset: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, "0"), offset, "latin1");
  block.write(name, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write(type, 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  if (devices) {
    octal(0, 329, 8);
    octal(0, 337, 8);
  }
  block.write(prefix, 345, 155);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
