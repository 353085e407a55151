import { plainWords } from "../../../components/lib/text.ts";

/** Rows below a header, in columns two spaces apart. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows.map((row) => row.map((cell) => plainWords(cell).replace(/\s+/g, " ")))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - cell.length)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
