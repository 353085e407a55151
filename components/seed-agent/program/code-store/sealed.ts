import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { canonicalJson } from "../../../lib/json.ts";
import { Corrupt } from "./files.ts";

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const seal = z.object({ sha256: z.string(), content: z.unknown() });

/** @returns JSON that contains the content and its checksum */
export function sealed(content: unknown): string {
  // As it will be read: without undefined fields.
  const plain: unknown = JSON.parse(JSON.stringify(content));
  return `${JSON.stringify({ sha256: sha256(canonicalJson(plain)), content: plain }, null, 2)}\n`;
}

/** @throws Corrupt */
export function unsealed<Type>(text: string, schema: z.ZodMiniType<Type>): Type {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Corrupt(text.trim() === "" ? "it is empty" : "it is not JSON");
  }
  const outer = seal.safeParse(json);
  if (!outer.success) throw new Corrupt("it has no checksum");
  if (sha256(canonicalJson(outer.data.content)) !== outer.data.sha256) throw new Corrupt("its checksum is wrong");
  const inner = schema.safeParse(outer.data.content);
  if (!inner.success) throw new Corrupt(`it has an unknown form: ${z.prettifyError(inner.error)}`);
  return inner.data;
}
