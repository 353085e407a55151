import { extname } from "node:path";

/** Node's options that make the start of one of our programs cheaper; see `lib/quick-imports.ts`. */
export const quickStart: readonly string[] = [
  "--import",
  new URL(`../lib/quick-imports${extname(import.meta.url)}`, import.meta.url).href,
];
