import * as z from "zod/mini";
import { option } from "./documented.ts";
import type { Kinds, Schemas, Unfit } from "./kind.ts";
import { providerOption, sharedOptions } from "./options.ts";
import { namePattern } from "./values.ts";

/** Every key of a fleet file, given its kinds. The loader, the reference and the JSON schema are made from it. */
export interface Vocabulary {
  readonly kinds: Kinds;
  /** Options of every kind. */
  readonly shared: Schemas;
  /** Options of a changeling, whatever its kind. */
  readonly changeling: Schemas;
  /** Keys of the file itself. */
  readonly file: Schemas;
  readonly fileTable: z.ZodMiniObject;
}

const known = new WeakMap<Kinds, Vocabulary>();

export function vocabularyOf(kinds: Kinds): Vocabulary {
  const found = known.get(kinds) ?? make(kinds);
  known.set(kinds, found);
  return found;
}

function make(kinds: Kinds): Vocabulary {
  const all = Object.values(kinds);
  const { description, ...others } = sharedOptions;
  const shared = { description, kind: kindOption(kinds), provider: providerOption(allProviders(kinds)), ...others };
  const own: Record<string, z.core.$ZodType> = {};
  for (const { options } of all) {
    for (const [key, schema] of Object.entries(options)) {
      if ((own[key] ?? schema) !== schema || Object.hasOwn(shared, key))
        throw new Error(`two kinds define the option ${key}: share one definition`);
      own[key] = schema;
    }
  }
  const changeling = { ...shared, ...own };
  const table = z.strictObject(changeling);
  const file = {
    mngr_profile: option(z.optional(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/))), {
      description:
        "The mngr profile of the agents. They are then kept apart from your own: `MNGR_HOST_DIR=~/.mngr-<profile> mngr list` lists them.",
      example: "changelings",
      defaultInWords: "your own profile: your `mngr list` lists the agents",
    }),
    ...Object.assign({}, ...all.map(({ settings }) => settings?.table.shape ?? {})),
    defaults: option(z.optional(z.omit(table, { renamed_from: true })), {
      description:
        "Options for all changelings. A changeling's own option overrides the one here; an option that its kind does not have is ignored.",
      example: { repo: "~/src/app" },
      defaultInWords: "none",
    }),
    changelings: option(z.optional(z.record(z.string().check(z.regex(namePattern)), table)), {
      description:
        "One table for each changeling, with its name: a lower-case letter, then up to 39 lower-case letters, digits or `-`. The name alone is enough if it is an agent type.",
      example: { "fixme-fairy": { schedule: "0 6 * * 1-5" } },
      defaultInWords: "none",
    }),
  };
  return { kinds, shared, changeling, file, fileTable: z.strictObject(file) };
}

function kindOption(kinds: Kinds) {
  const names = Object.keys(kinds);
  const summaries = Object.entries(kinds).map(([name, { summary }]) => `\`${name}\`: ${summary}.`);
  return option(z._default(z.enum(names), defaultKind(kinds)), {
    description: `What runs. ${summaries.join(" ")} Another kind under the same name is another changeling: the old one is removed, and its runs, agent, repository and data are not carried over.`,
    example: names[1] ?? defaultKind(kinds),
  });
}

/** The kind of a changeling that doesn't set one. */
export function defaultKind(kinds: Kinds): string {
  const [first] = Object.keys(kinds);
  if (first === undefined) throw new Error("a fleet needs a kind");
  return first;
}

/** The providers of all kinds, in the order of the kind with the most: `[defaults]` may contain any of them. */
function allProviders(kinds: Kinds): readonly [string, ...string[]] {
  const byKind = Object.values(kinds).map(({ providers }) => providers);
  const [first = "local", ...others] = new Set(byKind.sort((one, other) => other.length - one.length).flat());
  return [first, ...others];
}

/** The only kind that has the option; undefined if several have it, or none. */
function kindOfOption({ kinds }: Vocabulary, key: string): string | undefined {
  const [name, ...others] = Object.keys(kinds).filter((each) => Object.hasOwn(kinds[each]?.options ?? {}, key));
  return others.length === 0 ? name : undefined;
}

/** Like `kindOfOption`, for the option with this schema. */
export function kindOfSchema(vocabulary: Vocabulary, schema: z.core.$ZodType): string | undefined {
  const key = Object.keys(vocabulary.changeling).find((each) => vocabulary.changeling[each] === schema);
  return key === undefined ? undefined : kindOfOption(vocabulary, key);
}

/** Why a changeling of the kind can't have the option; undefined if it can. */
export function unfitForKind(vocabulary: Vocabulary, key: string, kind: string): Unfit | undefined {
  const { kinds, changeling, shared } = vocabulary;
  const own = kinds[kind];
  if (own === undefined || !Object.hasOwn(changeling, key)) return undefined;
  if (Object.hasOwn(shared, key) || Object.hasOwn(own.options, key)) return undefined;
  const of = Object.keys(kinds).filter((each) => Object.hasOwn(kinds[each]?.options ?? {}, key));
  const other = own.counterparts?.[key];
  const kindsInWords = of.map((each) => `kind = "${each}"`).join(" or ");
  const remedy = `${other === undefined ? "remove the line" : `write ${other} instead`}, or write ${kindsInWords}`;
  return { message: `${key} is only for ${kindsInWords}`, remedy, severity: "error" };
}
