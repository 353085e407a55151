import { now, random } from "./given.ts";

/** The globals that `seed.d.ts` declares. All other globals of Node are removed. */
const kept = new Set([
  ...[
    "globalThis",
    "console",
    "URL",
    "URLSearchParams",
    "TextEncoder",
    "TextDecoder",
    "structuredClone",
    "atob",
    "btoa",
  ],
  ...["setTimeout", "clearTimeout", "queueMicrotask"],
]);

/** The globals of the language, ES2024. */
const language = new Set([
  ...[
    "Object",
    "Function",
    "Array",
    "Number",
    "parseFloat",
    "parseInt",
    "Infinity",
    "NaN",
    "undefined",
    "Boolean",
    "String",
  ],
  ...["Symbol", "Date", "Promise", "RegExp", "Error", "AggregateError", "EvalError", "RangeError", "ReferenceError"],
  ...[
    "SyntaxError",
    "TypeError",
    "URIError",
    "JSON",
    "Math",
    "Intl",
    "ArrayBuffer",
    "Atomics",
    "Uint8Array",
    "Int8Array",
  ],
  ...["Uint16Array", "Int16Array", "Uint32Array", "Int32Array", "Float32Array", "Float64Array", "Uint8ClampedArray"],
  ...[
    "BigUint64Array",
    "BigInt64Array",
    "DataView",
    "Map",
    "BigInt",
    "Set",
    "Iterator",
    "WeakMap",
    "WeakSet",
    "WeakRef",
  ],
  ...["Proxy", "Reflect", "FinalizationRegistry", "decodeURI", "decodeURIComponent", "encodeURI", "encodeURIComponent"],
  ...[
    "escape",
    "unescape",
    "eval",
    "isFinite",
    "isNaN",
    "SharedArrayBuffer",
    "DisposableStack",
    "AsyncDisposableStack",
  ],
  ...["SuppressedError"],
]);

/**
 * Removes all globals except those of the language and a few more. Clock and random numbers come from the call, which makes
 * answers repeatable. The fence confines the code; this is only another layer.
 */
export function prepareGlobals(log: (message: string) => void): void {
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!kept.has(name) && !language.has(name)) Reflect.deleteProperty(globalThis, name);
  }
  Object.defineProperty(globalThis, "Date", hidden(givenDate()));
  Math.random = random;
  const write = (...values: readonly unknown[]) => log(values.map(text).join(" "));
  Object.defineProperty(
    globalThis,
    "console",
    hidden({ log: write, info: write, debug: write, warn: write, error: write }),
  );
  formatGivenDates();
}

const hidden = (value: unknown): PropertyDescriptor => ({
  value,
  writable: true,
  configurable: true,
  enumerable: false,
});

function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack ?? value.message;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function givenDate(): DateConstructor {
  const RealDate = Date;
  function GivenDate(this: unknown, ...values: unknown[]): unknown {
    if (new.target === undefined) return new RealDate(now()).toString();
    return Reflect.construct(RealDate, values.length === 0 ? [now()] : values, new.target);
  }
  Object.defineProperties(GivenDate, {
    ...{ name: hidden("Date"), length: hidden(7), prototype: { value: RealDate.prototype, writable: false } },
    ...{ now: hidden(now), parse: hidden(RealDate.parse), UTC: hidden(RealDate.UTC) },
  });
  RealDate.prototype.constructor = GivenDate;
  return GivenDate as unknown as DateConstructor;
}

/** Without a date, Intl.DateTimeFormat would format the real time. */
function formatGivenDates(): void {
  const { prototype } = Intl.DateTimeFormat;
  const format = Object.getOwnPropertyDescriptor(prototype, "format")?.get;
  const { formatToParts } = prototype;
  if (format === undefined) return;
  Object.defineProperty(prototype, "format", {
    configurable: true,
    get(this: Intl.DateTimeFormat) {
      const bound: (date: unknown) => string = format.call(this);
      return (date?: unknown) => bound(date ?? now());
    },
  });
  prototype.formatToParts = function (date) {
    return formatToParts.call(this, date ?? now());
  };
}
