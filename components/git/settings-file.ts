export interface Section {
  readonly section: string;
  /** The subsection, such as the URL of a `credential`. */
  readonly of?: string;
  readonly values: Readonly<Record<string, string>>;
}

/** The text of a file with git's settings: written at once, where `git config` takes a process for each value. */
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
