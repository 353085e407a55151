import { z } from "zod/mini";
import type { Bag } from "../wire.ts";

/** Labels in the form of the inputs. */
export const labels = z.array(z.object({ label: z.string(), value: z.string() }));

/** Labels in the daemon's form. */
export const toLabelMap = (list: z.infer<typeof labels> = []): Record<string, string> =>
  Object.fromEntries(list.map(({ label, value }) => [label, value]));

/** Labels in the form of the state. */
export const labelsOf = (map: Record<string, string> | null | undefined): Bag[] =>
  Object.entries(map ?? {}).map(([label, value]) => ({ label, value }));
