import struct from "google-protobuf/google/protobuf/struct_pb.js";

/**
 * Pulumi's property values in wire form: JSON in which signatures and sentinels mark secrets, assets, archives,
 * resource references and unknown values (pulumi/pulumi, sdk/go/common/resource).
 */
export type Wire = null | boolean | number | string | Wire[] | Bag;
export type Bag = { [key: string]: Wire };

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";

/** A value with a signature, which determines its other keys. */
export type Marked = Bag & { [SIGNATURE]: Wire };

/** Marks a value that is not known yet. The protocol's six other sentinels are normalized to this one. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const sentinels = new Set([
  UNKNOWN,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** A secret unknown value in a response. */
export const SECRET_UNKNOWN: Bag = { [SIGNATURE]: OUTPUT, secret: true };

export const isObject = (value: Wire | undefined): value is Bag =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const signatureOf = (value: Wire | undefined): Wire | undefined => (isObject(value) ? value[SIGNATURE] : undefined);
/** A plain object of the user, not a marked value. */
export const isPlainObject = (value: Wire | undefined): value is Bag =>
  isObject(value) && signatureOf(value) === undefined;
export const isSecret = (value: Wire | undefined): value is Marked => signatureOf(value) === SECRET;
export const isAsset = (value: Wire | undefined): value is Marked => signatureOf(value) === ASSET;
export const isArchive = (value: Wire | undefined): value is Marked => signatureOf(value) === ARCHIVE;
export const isUnknownSecret = (value: Wire | undefined): value is Marked =>
  isSecret(value) && value["value"] === UNKNOWN;

export const secret = (value: Wire): Wire => (isSecret(value) ? value : { [SIGNATURE]: SECRET, value });
export const asset = (hash: string, path: string): Bag => ({ [SIGNATURE]: ASSET, hash, path, text: "", uri: "" });
export const archive = (hash: string, assets: Bag): Bag => ({ [SIGNATURE]: ARCHIVE, assets, hash, path: "", uri: "" });

/** Unwraps a secret; returns any other value unchanged. */
export const reveal = (value: Wire): Wire => (isSecret(value) ? (value["value"] ?? null) : value);

/** Whether some part of the value passes the test, except the contents of assets. */
export function contains(value: Wire | undefined, test: (part: Wire) => boolean): boolean {
  if (value === undefined) return false;
  if (test(value)) return true;
  if (Array.isArray(value)) return value.some((element) => contains(element, test));
  return isObject(value) && !isAsset(value) && !isArchive(value)
    ? Object.values(value).some((element) => contains(element, test))
    : false;
}

/** Equal as the plugin sees it: assets and archives by their content's hash, everything else by value. */
export function equal(a: Wire | undefined, b: Wire | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, index) => equal(element, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  if (signatureOf(a) !== signatureOf(b)) return false;
  if ((isAsset(a) || isArchive(a)) && a["hash"] && b["hash"]) return a["hash"] === b["hash"];
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** Normalizes a value for comparison and output: no nulls in objects, one sentinel, no nested secrets. */
function tidy(value: Wire): Wire {
  if (typeof value === "string") return sentinels.has(value) ? UNKNOWN : value;
  if (Array.isArray(value)) return value.map(tidy);
  if (!isObject(value)) return value;
  if (isSecret(value)) return secret(tidy(value["value"] ?? null));
  if (signatureOf(value) === OUTPUT) {
    const element = "value" in value ? tidy(value["value"] ?? null) : UNKNOWN;
    return value["secret"] === true ? secret(element) : element;
  }
  return tidyBag(value);
}

const tidyBag = (bag: Bag): Bag => mapBag(bag, (value) => tidy(value) ?? undefined);

/** Maps each value of a bag; undefined removes it. */
export function mapBag(bag: Bag, change: (value: Wire, key: string) => Wire | undefined): Bag {
  const changed: Bag = {};
  for (const [key, value] of Object.entries(bag)) {
    const next = change(value, key);
    if (next !== undefined) changed[key] = next;
  }
  return changed;
}

/** A request's properties, normalized. */
export const receive = (message: struct.Struct | undefined): Bag => tidyBag((message?.toJavaScript() ?? {}) as Bag);
/** The properties of a response. */
export const send = (bag: Bag): struct.Struct => struct.Struct.fromJavaScript(bag);
