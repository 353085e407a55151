/** Text that is safe in a page. Only `html` creates it, so everything else is escaped. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

type Value = string | number | Html | readonly Html[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;",
};

export function escaped(text: string): string {
  return text.replace(/[&<>"'`]/g, (character) => entities[character] ?? "");
}

/**
 * A template that escapes its values, for text and for quoted attributes; lists are joined. Not for values in scripts,
 * styles or the scheme of a link.
 */
export function html(texts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(texts.map((text, index) => (index === 0 ? "" : inserted(values[index - 1] ?? "")) + text).join(""));
}

function inserted(value: Value): string {
  if (value instanceof Html) return value.toString();
  return typeof value === "object" ? value.map((each) => each.toString()).join("") : escaped(String(value));
}
