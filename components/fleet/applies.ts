import * as z from "zod/mini";
import type { Diagnostic, KeyPathOf } from "./diagnostics.ts";
import { type Applies, anyValue } from "./documented.ts";
import type { Kind, Unfit, UnfitOptions } from "./kind.ts";

type Applying = Pick<Kind, "applies" | "noun"> & { readonly table: z.core.$ZodType<object> };
type Options = Readonly<Record<string, unknown>>;

/** The options that are set but do not apply to a changeling with these options. */
export function unfitOptions({ applies = {}, table, noun }: Applying, options: Options): UnfitOptions {
  const preset = presetOf(table);
  return new Map(
    Object.entries(applies).flatMap(([key, where]) => {
      if (where === undefined || isEqual(options[key], preset[key])) return [];
      const unfit = unfitAt(key, where, options, noun);
      return unfit === undefined ? [] : [[key, unfit] as const];
    }),
  );
}

/** Diagnostics for these options. */
export function unfitDiagnostics(kind: Applying, options: Options, place: KeyPathOf): Diagnostic[] {
  return [...unfitOptions(kind, options)].map(([key, unfit]) => {
    const { providers, needs = {} } = kind.applies?.[key] ?? {};
    return {
      ...unfit,
      path: place(key),
      reads: [...(providers === undefined ? [] : ["provider"]), ...Object.keys(needs)],
    };
  });
}

function unfitAt(key: string, where: Applies, options: Options, noun: string): Unfit | undefined {
  const { providers, needs = {}, ignored, instead, never, otherwise } = where;
  if (never !== undefined) {
    return { message: `${key} has no effect for a ${noun}, ${never}`, remedy: "remove the line", severity: "error" };
  }
  if (instead !== undefined) {
    const remedy = `write ${instead} instead`;
    return { message: `${key} has no effect for a ${noun}`, remedy, severity: "error" };
  }
  const setting = unmet(options, providers, needs);
  if (setting === undefined) return undefined;
  if (ignored !== undefined) {
    const message = `${key} has no effect for the provider "${options["provider"]}", ${ignored}`;
    return { message, remedy: "remove the line", severity: "warning" };
  }
  const derived = { message: `${key} is only for ${setting}`, remedy: `remove the line, or write ${setting}` };
  return { ...derived, ...otherwise, severity: "error" };
}

/** The first setting that is missing, as the file would have it; undefined if the option applies. */
function unmet(options: Options, providers: Applies["providers"], needs: Options): string | undefined {
  const provider = options["provider"];
  if (providers !== undefined && !providers.some((each) => each === provider)) return providersInWords(providers);
  const missing = Object.entries(needs).find(([key, value]) =>
    value === anyValue ? options[key] === undefined : !isEqual(options[key], value),
  );
  return missing === undefined ? undefined : assigned(...missing);
}

function providersInWords(providers: readonly string[]): string {
  return `provider = ${providers.map((each) => `"${each}"`).join(" or ")}`;
}

function assigned(key: string, value: unknown): string {
  return value === anyValue ? key : `${key} = ${JSON.stringify(value)}`;
}

const presets = new WeakMap<object, Options>();

function presetOf(table: Applying["table"]): Options {
  const known: Options = presets.get(table) ?? { ...z.parse(table, {}) };
  presets.set(table, known);
  return known;
}

function isEqual(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

type Documented = Pick<Kind, "applies" | "providers">;

/** Where an option of a kind applies, as a sentence in Markdown; undefined if everywhere. */
export function whereInWords({ applies = {}, providers: all }: Documented, key: string): string | undefined {
  const { providers, needs = {}, ignored, instead, never } = applies[key] ?? {};
  if (instead !== undefined || never !== undefined) return undefined;
  if (ignored !== undefined && providers !== undefined) {
    return `It has no effect on ${listed(all.filter((each) => !providers.includes(each)))}, ${ignored}.`;
  }
  const settings = Object.entries(needs).map(([name, value]) => `\`${assigned(name, value)}\``);
  const on = providers === undefined ? "" : `On ${listed(providers)}`;
  if (settings.length === 0) return on === "" ? undefined : `${on} only.`;
  return `${on === "" ? "With" : `${on} with`} ${settings.join(" and ")} only.`;
}

/** The same for an option that several kinds have: what all of them agree on, or what holds for each. */
export function whereForKinds(
  kinds: Readonly<Record<string, Documented & Pick<Kind, "options">>>,
  key: string,
): string | undefined {
  const own = Object.entries(kinds).filter(([, { options }]) => Object.hasOwn(options, key));
  const having = (own.length === 0 ? Object.entries(kinds) : own).filter(
    ([, { applies = {} }]) => applies[key]?.instead === undefined && applies[key]?.never === undefined,
  );
  const words = having.flatMap(([name, kind]) => {
    const where = whereInWords(kind, key);
    return where === undefined ? [] : [[name, where] as const];
  });
  const [first] = words;
  if (first === undefined) return undefined;
  if (words.length === having.length && words.every(([, where]) => where === first[1])) return first[1];
  return words
    .map(([name, where]) => `With \`kind = "${name}"\`: ${where.charAt(0).toLowerCase()}${where.slice(1)}`)
    .join(" ");
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(" and ");
}
