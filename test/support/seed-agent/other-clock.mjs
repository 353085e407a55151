/** Preloaded into a program: its wall clock is off by CLOCK_OFFSET milliseconds. */
const offset = Number(process.env["CLOCK_OFFSET"] ?? 0);
const now = Date.now.bind(Date);

globalThis.Date = new Proxy(Date, {
  construct: (target, parts, newTarget) =>
    Reflect.construct(target, parts.length === 0 ? [now() + offset] : parts, newTarget),
  get: (target, name) => (name === "now" ? () => now() + offset : Reflect.get(target, name)),
});
