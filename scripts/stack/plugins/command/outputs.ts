import {
  archive,
  type Bag,
  contains,
  equal,
  isArchive,
  isAsset,
  isObject,
  isSecret,
  mapBag,
  reveal,
  SECRET_UNKNOWN,
  secret,
  UNKNOWN,
  type Wire,
} from "../wire.ts";
import type { Results } from "./inputs.ts";

type Kind = "text" | "flag" | "texts" | "textMap" | "values" | "value";

const kinds: Record<string, Kind> = {
  triggers: "values",
  create: "text",
  update: "text",
  delete: "text",
  stdin: "text",
  logging: "text",
  interpreter: "texts",
  dir: "text",
  environment: "textMap",
  assetPaths: "texts",
  archivePaths: "texts",
  addPreviousOutputInEnv: "flag",
};
const elementKinds: Partial<Record<Kind, Kind>> = { texts: "text", textMap: "text", values: "value", value: "value" };
const zeros: Record<Kind, Wire | undefined> = {
  text: "",
  flag: false,
  texts: undefined,
  textMap: {},
  values: [],
  value: UNKNOWN,
};

/**
 * Returns inputs as the official plugin does: unchanged, with secrets in place and assets with all their fields. Two
 * oddities are kept, because they show in previews: an unknown list of strings is omitted, and a secret that is not
 * known yet is its type's empty value, as a secret.
 */
export const echo = (inputs: Bag): Bag => mapBag(inputs, (value, name) => echoValue(value, kinds[name] ?? "text"));

function echoValue(value: Wire, kind: Kind): Wire | undefined {
  if (value === UNKNOWN) return kind === "texts" ? undefined : UNKNOWN;
  if (isSecret(value)) {
    const inner = reveal(value) === UNKNOWN ? zeros[kind] : echoValue(reveal(value), kind);
    return inner === undefined ? undefined : secret(inner);
  }
  const element = elementKinds[kind] ?? "text";
  if (Array.isArray(value)) return value.map((item) => echoValue(item, element) ?? null);
  if (isAsset(value)) return { hash: "", path: "", text: "", uri: "", ...value };
  if (isArchive(value)) {
    const { assets } = value;
    return { ...archive("", {}), ...value, assets: isObject(assets) ? echoItems(assets, "value") : {} };
  }
  return isObject(value) ? echoItems(value, element) : value;
}

const echoItems = (items: Bag, kind: Kind): Bag => mapBag(items, (item) => echoValue(item, kind));

/** The outputs after a command ran, or if there was none to run. */
export const outputs = (inputs: Bag, results: Results): Bag => ({
  ...echo(inputs),
  stdout: results.stdout,
  stderr: results.stderr,
  ...(results.assets !== undefined && { assets: echoValue(results.assets, "value") ?? null }),
  ...(results.archive !== undefined && { archive: echoValue(results.archive, "value") ?? null }),
});

/** The outputs of a preview. Those that don't merely repeat an input are unknown if `changed`, else unchanged. */
export const previewOutputs = (inputs: Bag, results: Results, changed: boolean): Bag =>
  mapBag(outputs(inputs, results), (value, name) => {
    const input = inputs[name];
    const repeats = equal(input, value) && !contains(value, (part) => isAsset(part) || isArchive(part));
    if (repeats) return value;
    const hidden = contains(input, isSecret);
    if (changed && value !== UNKNOWN) return hidden ? SECRET_UNKNOWN : UNKNOWN;
    return hidden ? secret(value) : value;
  });

/** Whether an update would change what the outputs depend on: an input differs from the state, or is unknown. */
export const inputsChanged = (state: Bag, inputs: Bag): boolean =>
  Object.keys(kinds).some((name) => {
    const input = inputs[name];
    if (input === UNKNOWN || (isSecret(input) && reveal(input) === UNKNOWN)) return true;
    return state[name] !== undefined && !equal(input, state[name]);
  });
