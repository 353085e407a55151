import { join } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull } from "../../host/files.ts";

/** `page.json`, 0600: the page's address, and the key of login codes. The server writes it at each start. */
const pageFile = z.object({
  version: z.literal(1),
  /** For instance `http://127.0.0.1:40124`. */
  url: z.string(),
  /** The https origin that browsers see, if it is another. */
  publicUrl: z.optional(z.string()),
  key: z.string(),
  /** Whether the server reads revocations. Those of earlier releases don't. */
  isRevocable: z._default(z.boolean(), false),
});
export type PageFile = z.output<typeof pageFile>;

export function pageFilePath(folder: string): string {
  return join(folder, "page.json");
}

/** @returns undefined if no page server has run here */
export function readPageFile(folder: string): PageFile | undefined {
  return pageFile.safeParse(readJsonOrNull(pageFilePath(folder))).data;
}
