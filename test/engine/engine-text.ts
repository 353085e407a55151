/** The lines that the engine prints under "Diagnostics", without colors, by the name of their resource. */
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
