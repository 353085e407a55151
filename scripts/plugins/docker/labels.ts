import { z } from "zod/mini";
import type { Bag } from "../wire.ts";

/** Labels as the inputs hold them. */
export const labels = z.array(z.object({ label: z.string(), value: z.string() }));

/** As the daemon takes them. */
export const toLabelMap = (list: z.infer<typeof labels> = []): Record<string, string> =>
  Object.fromEntries(list.map(({ label, value }) => [label, value]));

/** As the state holds them. */
export const labelsOf = (map: Record<string, string> | null | undefined): Bag[] =>
  Object.entries(map ?? {}).map(([label, value]) => ({ label, value }));
