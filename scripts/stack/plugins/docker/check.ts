import type { Failure } from "../answer.ts";
import { type Bag, isPlainObject, UNKNOWN, type Wire } from "../wire.ts";
import type { Field, Fields, Shape } from "./fields.ts";
import { version } from "./version.ts";

export interface Checked {
  /** With defaults filled in. `__defaults` lists them, in each object, as in the official plugin's state. */
  inputs: Bag;
  failures: Failure[];
}

/**
 * Fills in the defaults of the program's inputs and collects every error.
 *
 * @param name for a resource without one
 */
export function check({ name, ...fields }: Fields, news: Bag, invented: Wire): Checked {
  const failures: Failure[] = [];
  const all = name === undefined ? fields : { ...fields, name: { ...name, default: invented } };
  return { inputs: checkObject(all, news, "", failures), failures };
}

function checkObject(fields: Fields, given: Bag, at: string, failures: Failure[]): Bag {
  const path = (name: string) => (at === "" ? name : `${at}.${name}`);
  const inputs: Bag = {};
  const defaults: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (name === "__defaults") continue;
    const field = fields[name];
    if (field === undefined) failures.push({ property: path(name), reason: unserved(path(name)) });
    else inputs[name] = checkValue(field, value, path(name), failures);
  }
  for (const [name, field] of Object.entries(fields)) {
    if (inputs[name] !== undefined) continue;
    if (field.default !== undefined) {
      inputs[name] = field.default;
      defaults.push(name);
    } else if (field.required) {
      failures.push({ property: path(name), reason: `${path(name)} is missing` });
    }
  }
  return { ...inputs, __defaults: defaults.sort() };
}

const unserved = (path: string): string =>
  `${path} is not served by the stand-in for the docker plugin that is installed here. Leave it out, or use a ` +
  `PULUMI_HOME with the official plugin: pulumi plugin install resource docker ${version}`;

function checkValue(field: Field, value: Wire, at: string, failures: Failure[]): Wire {
  const checked = checkShape(field.shape, value, at, failures);
  if (field.values !== undefined && typeof value === "string" && value !== UNKNOWN && !field.values.includes(value)) {
    failures.push({ property: at, reason: `${at} is "${value}"; it must be one of ${field.values.join(", ")}` });
  }
  return checked;
}

function checkShape(shape: Shape, value: Wire, at: string, failures: Failure[]): Wire {
  if (value === UNKNOWN) return value;
  const reject = (wanted: string): Wire => {
    failures.push({ property: at, reason: `${at} must be ${wanted}` });
    return value;
  };
  switch (shape.is) {
    case "text":
      return typeof value === "string" ? value : reject("a text");
    case "flag":
      return typeof value === "boolean" ? value : reject("true or false");
    case "integer":
      return Number.isSafeInteger(value) ? value : reject("a whole number");
    case "list":
    case "set":
      if (!Array.isArray(value)) return reject("a list");
      return value.map((element, index) => checkShape(shape.of, element, `${at}[${index}]`, failures));
    case "object":
      return isPlainObject(value) ? checkObject(shape.fields, value, at, failures) : reject("an object");
  }
}
