import { stripVTControlCharacters } from "node:util";

/** What an agent wrote, such that a terminal shows it and obeys nothing of it. Lines and tabs stay. */
export function plainWords(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\t\n]/gu, "");
}
