import { join } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull, writePrivateFile } from "../../host/files.ts";

/** The page's settings of the fleet file, in `page-settings.json`. Only `pulumi up` writes it. */
const pageSettings = z.object({
  version: z.literal(1),
  /** The port that it listens on; undefined: a free port, which is kept over restarts. */
  port: z.optional(z.int()),
  /** The https origin that browsers see; undefined: the page's own address. */
  publicUrl: z.optional(z.string()),
});
export type PageSettings = Omit<z.output<typeof pageSettings>, "version">;

function pathIn(folder: string): string {
  return join(folder, "page-settings.json");
}

/** @param folder the session service's */
export function readPageSettings(folder: string): PageSettings {
  return pageSettings.safeParse(readJsonOrNull(pathIn(folder))).data ?? {};
}

export function writePageSettings(folder: string, settings: PageSettings): void {
  const content: z.input<typeof pageSettings> = { version: 1, ...settings };
  writePrivateFile(pathIn(folder), `${JSON.stringify(content)}\n`);
}
