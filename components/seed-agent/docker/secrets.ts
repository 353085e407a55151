import { serviceUser } from "../spec.ts";

const block = 512;

/**
 * A tar archive with one file that only the service's user can read. `docker cp -` reads it from its input, so that
 * secrets are in no argument list and in no file of this machine.
 */
export function secretArchive(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(block);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  header.write(name, 0);
  header.write(octal(0o400, 7), 100);
  header.write(octal(serviceUser, 7), 108);
  header.write(octal(serviceUser, 7), 116);
  header.write(octal(content.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write("        0", 148);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)} `, 148);
  const padding = Buffer.alloc((block - (content.length % block)) % block);
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * block)]);
}
