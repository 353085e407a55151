import * as z from "zod/mini";
import { option } from "../../../components/fleet/documented.ts";
import { providerOption, sharedOptions } from "../../../components/fleet/options.ts";
import { word } from "../../../components/fleet/values.ts";

export const optionsOfNoop = {
  greeting: option(z._default(word(), "hello"), { description: "What it writes.", example: "good morning" }),
} as const;

export const noopProviders = ["local"] as const;

export const noopTable = z.strictObject({
  ...sharedOptions,
  provider: providerOption(noopProviders),
  ...optionsOfNoop,
});

export type NoopOptions = z.output<typeof noopTable>;
