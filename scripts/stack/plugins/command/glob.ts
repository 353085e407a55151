/**
 * Compiles the pattern language of assetPaths and archivePaths (github.com/gobwas/glob with `/` as the separator): `*`
 * and `?` stop at `/`, `**` does not, `[a-z]`, `[!abc]`, `{one,two}`, and `\` before a literal character. Throws an
 * Error with that library's text for an invalid pattern.
 */
export const compileGlob = (pattern: string): RegExp => new RegExp(`^${new Translator(pattern).run()}$`, "su");

const literal = (rune: string): string => (/[\\^$.*+?()[\]{}|/]/.test(rune) ? `\\${rune}` : rune);
const inClass = (rune: string): string => (/[\\\]^[-]/.test(rune) ? `\\${rune}` : rune);

class Translator {
  private readonly runes: string[];
  private position = 0;
  private depth = 0;

  constructor(pattern: string) {
    this.runes = Array.from(pattern);
  }

  run(): string {
    let regex = "";
    for (let rune = this.next(); rune !== undefined; rune = this.next()) regex += this.translate(rune);
    return regex + ")".repeat(this.depth);
  }

  private next = (): string | undefined => this.runes[this.position++];

  private translate(rune: string): string {
    if (rune === "\\") return literal(this.next() ?? "");
    if (rune === "?") return "[^/]";
    if (rune === "[") return this.range();
    if (rune === "*") {
      if (this.runes[this.position] !== "*") return "[^/]*";
      this.position++;
      return ".*";
    }
    if (rune === "{") {
      this.depth++;
      return "(?:";
    }
    if (rune === "," && this.depth > 0) return "|";
    if (rune === "}" && this.depth > 0) {
      this.depth--;
      return ")";
    }
    return literal(rune);
  }

  private range(): string {
    const end = (rune: string | undefined) => {
      if (rune === undefined) throw new Error("unexpected end of input");
      return rune;
    };
    let first = end(this.next());
    const not = first === "!" ? "^" : "";
    if (not) first = end(this.next());
    if (this.runes[this.position] === "-") {
      this.position++;
      const last = end(this.next());
      if (end(this.next()) !== "]") throw new Error("expected close range character");
      if (last < first) throw new Error(`hi character '${last}' should be greater than lo '${first}'`);
      return `[${not}${inClass(first)}-${inClass(last)}]`;
    }
    let set = "";
    for (let rune = first; rune !== "]"; rune = end(this.next()))
      set += inClass(rune === "\\" ? end(this.next()) : rune);
    if (set === "") throw new Error("could not parse range");
    return `[${not}${set}]`;
  }
}
