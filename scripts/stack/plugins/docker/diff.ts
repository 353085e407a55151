import { type Bag, isPlainObject, UNKNOWN, type Wire } from "../wire.ts";
import type { Field, Fields, Shape } from "./fields.ts";

/** What changed at one path. */
export interface Difference {
  /** Pulumi's spelling: `envs[0]`, `ports[0].external`. */
  path: string;
  kind: "ADD" | "DELETE" | "UPDATE";
}

/** What changed in one input. */
export interface InputChange {
  input: string;
  differences: Difference[];
  replaces: boolean;
}

/** The differences between the state and the inputs. An omitted input that the daemon fills in stays unchanged. */
export function diff(fields: Fields, state: Bag, inputs: Bag): InputChange[] {
  return Object.entries(fields).flatMap(([input, field]) => {
    const [old, next] = [state[input], inputs[input]];
    const differences = compare(field, old, next, input);
    const replaces = field.inPlace === "elements" ? countOf(old) !== countOf(next) : field.inPlace === undefined;
    return differences.length === 0 ? [] : [{ input, differences, replaces }];
  });
}

const countOf = (value: Wire | undefined): number | undefined =>
  Array.isArray(value) ? value.length : value === UNKNOWN ? undefined : 0;

function compare(field: Field, old: Wire | undefined, next: Wire | undefined, path: string): Difference[] {
  const { shape, computed, emptyIsNone } = field;
  const wanted = emptyIsNone && isEmpty(next) ? undefined : next;
  if (wanted === undefined && (computed || emptyIsNone)) return [];
  if (wanted === UNKNOWN && computed && shape.is === "set") return [];
  if (isZero(old) && isZero(wanted)) return [];
  if (isGone(old)) return [{ path, kind: "ADD" }];
  if (isGone(wanted)) return [{ path, kind: shape.is === "flag" ? "UPDATE" : "DELETE" }];
  return compareShapes(shape, old ?? null, wanted ?? null, path);
}

const isEmpty = (value: Wire | undefined): boolean => value === "" || (Array.isArray(value) && value.length === 0);
const isGone = (value: Wire | undefined): boolean => value === undefined || (Array.isArray(value) && isEmpty(value));
/** Such a value is indistinguishable from none. */
const isZero = (value: Wire | undefined): boolean =>
  value === undefined || value === false || value === 0 || isEmpty(value);

function compareShapes(shape: Shape, old: Wire, next: Wire, path: string): Difference[] {
  if (shape.is === "object" && isPlainObject(old) && isPlainObject(next)) {
    return Object.entries(shape.fields).flatMap(([name, field]) =>
      compare(field, old[name], next[name], `${path}.${name}`),
    );
  }
  if ((shape.is === "list" || shape.is === "set") && Array.isArray(old) && Array.isArray(next)) {
    if (next.includes(UNKNOWN)) return [{ path, kind: "UPDATE" }];
    const isSame = (before: Wire, after: Wire) => compareShapes(shape.of, before, after, path).length === 0;
    const isSet = shape.is === "set";
    const gone = old.map((one) => (isSet && next.some((other) => isSame(one, other)) ? undefined : one));
    const added = next.map((one) => (isSet && old.some((other) => isSame(other, one)) ? undefined : one));
    return compareElements(shape.of, gone, added, path);
  }
  return old === next && next !== UNKNOWN ? [] : [{ path, kind: "UPDATE" }];
}

/** An undefined element is not compared. */
function compareElements(shape: Shape, old: (Wire | undefined)[], next: (Wire | undefined)[], at: string) {
  return Array.from({ length: Math.max(old.length, next.length) }, (_, index): Difference[] => {
    const [before, after, path] = [old[index], next[index], `${at}[${index}]`];
    if (before === undefined && after === undefined) return [];
    if (before === undefined) return [{ path, kind: "ADD" }];
    if (after === undefined) return [{ path, kind: "DELETE" }];
    return compareShapes(shape, before, after, path);
  }).flat();
}
