export interface Section {
  readonly section: string;
  /** The subsection, such as the URL of a `credential`. */
  readonly of?: string;
  readonly values: Readonly<Record<string, string>>;
}

/** The text of a git config file. Writing it is faster than `git config`, which needs a process for each value. */
export function settingsFile(sections: readonly Section[]): string {
  const lines = sections.flatMap(({ section, of, values }) => [
    of === undefined ? `[${section}]` : `[${section} "${of.replace(/["\\]/g, "\\$&")}"]`,
    ...Object.entries(values).map(([name, value]) => `\t${name} = ${quoted(value)}`),
  ]);
  return `${lines.join("\n")}\n`;
}

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}
