/** Declares the globals that the code has besides those of the language: see `inside/globals.ts`. */
export const globalTypes = `
declare const console: {
  log(...values: readonly unknown[]): void;
  info(...values: readonly unknown[]): void;
  debug(...values: readonly unknown[]): void;
  warn(...values: readonly unknown[]): void;
  error(...values: readonly unknown[]): void;
};
declare function setTimeout(run: () => void, milliseconds?: number): { readonly __timer: unique symbol };
declare function clearTimeout(timer: { readonly __timer: symbol } | undefined): void;
declare function queueMicrotask(run: () => void): void;
declare function structuredClone<Value>(value: Value): Value;
declare function atob(text: string): string;
declare function btoa(text: string): string;
declare class TextEncoder {
  encode(text?: string): Uint8Array;
}
declare class TextDecoder {
  constructor(encoding?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean });
  decode(bytes?: Uint8Array | ArrayBuffer): string;
}
declare class URLSearchParams implements Iterable<[string, string]> {
  constructor(from?: string | Readonly<Record<string, string>> | Iterable<readonly [string, string]>);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  toString(): string;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}
declare class URL {
  static canParse(url: string, base?: string): boolean;
  constructor(url: string, base?: string | URL);
  hash: string;
  host: string;
  hostname: string;
  href: string;
  readonly origin: string;
  password: string;
  pathname: string;
  port: string;
  protocol: string;
  search: string;
  readonly searchParams: URLSearchParams;
  username: string;
  toString(): string;
}
`;

const assertions = [
  ...["ok", "equal", "deepEqual", "strictEqual", "deepStrictEqual", "fail", "ifError"],
  ...["notEqual", "notDeepEqual", "notStrictEqual", "notDeepStrictEqual", "match", "doesNotMatch"],
  ...["throws", "doesNotThrow", "rejects", "doesNotReject"],
];
// TypeScript requires an explicit type for each assertion function.
const members = assertions.map((name) => `export const ${name}: Assert["${name}"];`);

/** Declares `node:assert/strict` for tests, with the types of seed.d.ts. */
export const assertTypes = `
declare module "node:assert/strict" {
  import type { Assert } from "seed";
  const assert: Assert;
  export default assert;
  ${members.join("\n  ")}
}
`;
