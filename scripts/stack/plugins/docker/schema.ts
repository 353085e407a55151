import type { Fields, Shape } from "./fields.ts";
import type { Resource } from "./resource.ts";
import { version } from "./version.ts";

/**
 * The Pulumi schema of what this plugin serves. Objects within inputs are not described, because nothing reads that.
 */
export function schema(resources: readonly Resource[]): string {
  const described = resources.map(({ token, fields }) => {
    const properties = toProperties(fields);
    const required = Object.keys(fields).filter((name) => fields[name]?.required && name !== "name");
    return [token, { properties, inputProperties: properties, requiredInputs: required }];
  });
  return JSON.stringify({ name: "docker", version, resources: Object.fromEntries(described) });
}

const toProperties = (fields: Fields) =>
  Object.fromEntries(
    Object.entries(fields).map(([name, { shape, inPlace }]) => [
      name,
      { ...toType(shape), ...(!inPlace && { willReplaceOnChanges: true }) },
    ]),
  );

const plain = { text: "string", flag: "boolean", integer: "integer", object: "object" } as const;
function toType(shape: Shape): object {
  return shape.is === "list" || shape.is === "set"
    ? { type: "array", items: toType(shape.of) }
    : { type: plain[shape.is] };
}
