/** What the engine says of resources under "Diagnostics", by their names: the lines of each, without colours. */
export function diagnosticsOf(output: string): Record<string, string[]> {
  const [, text = ""] = /^Diagnostics:\n((?: .*\n|\n(?= ))*)/m.exec(output) ?? [];
  const found: Record<string, string[]> = {};
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    const [, name] = /^ {2}\S+ \((.+)\):$/.exec(line) ?? [];
    if (name !== undefined) {
      lines = [];
      found[name] = lines;
    } else if (line.trim() !== "") {
      lines.push(line.slice(4));
    }
  }
  return found;
}
