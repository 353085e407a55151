import fc from "fast-check";
import { expect, test } from "vitest";
import { check } from "../../scripts/stack/plugins/docker/check.ts";
import { diff } from "../../scripts/stack/plugins/docker/diff.ts";
import {
  containerFields,
  type Field,
  type Fields,
  type Shape,
  volumeFields,
} from "../../scripts/stack/plugins/docker/fields.ts";
import type { Bag, Wire } from "../../scripts/stack/plugins/wire.ts";

const shapeOf = (shape: Shape, values?: readonly string[]): fc.Arbitrary<Wire> => {
  switch (shape.is) {
    case "text":
      return values === undefined ? fc.string() : fc.constantFrom(...values);
    case "flag":
      return fc.boolean();
    case "integer":
      return fc.nat(70_000);
    case "object":
      return inputsOf(shape.fields);
    default:
      return fc.array(shapeOf(shape.of), { maxLength: 4 });
  }
};
const arbitraryOf = ({ shape, values, required }: Field): fc.Arbitrary<Wire | undefined> =>
  required ? shapeOf(shape, values) : fc.option(shapeOf(shape, values), { nil: undefined });
const inputsOf = (fields: Fields): fc.Arbitrary<Bag> =>
  fc.record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, arbitraryOf(field)]))).map(mapped);

/** Without what is undefined. */
const mapped = (bag: Record<string, Wire | undefined>): Bag =>
  Object.fromEntries(Object.entries(bag).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));

const resource = fc.constantFrom(containerFields, volumeFields);
const declared = resource.chain((fields) => inputsOf(fields).map((inputs) => ({ fields, inputs })));

/** The same, with every set turned round. */
const reversed = (fields: Fields, inputs: Bag): Bag =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      name,
      fields[name]?.shape.is === "set" && Array.isArray(value) ? value.toReversed() : value,
    ]),
  );

test("valid inputs pass, and so does the result", () => {
  fc.assert(
    fc.property(declared, ({ fields, inputs }) => {
      const { inputs: first, failures } = check(fields, inputs, "invented");
      expect(failures).toEqual([]);
      const second = check(fields, first, "invented");
      expect(second.failures).toEqual([]);
      expect(diff(fields, first, second.inputs)).toEqual([]);
      expect(first).toMatchObject(inputs);
    }),
  );
});

test("nothing differs from itself, nor from itself in another order of sets", () => {
  fc.assert(
    fc.property(declared, ({ fields, inputs }) => {
      expect(diff(fields, inputs, inputs)).toEqual([]);
      expect(diff(fields, inputs, reversed(fields, inputs))).toEqual([]);
    }),
  );
});

test("another text, flag or number is a difference only in its input", () => {
  const changed = declared.chain(({ fields, inputs }) => {
    const plain = Object.keys(fields).filter((name) =>
      ["text", "flag", "integer"].includes(fields[name]?.shape.is ?? ""),
    );
    return fc.constantFrom(...plain).map((name) => ({ fields, inputs, name }));
  });
  fc.assert(
    fc.property(changed, ({ fields, inputs, name }) => {
      const is = fields[name]?.shape.is;
      const [before, after]: [Wire, Wire] = is === "text" ? ["a", "b"] : is === "flag" ? [false, true] : [1, 2];
      const changes = diff(fields, { ...inputs, [name]: before }, { ...inputs, [name]: after });
      const kind = "UPDATE";
      expect(changes).toEqual([
        { input: name, differences: [{ path: name, kind }], replaces: fields[name]?.inPlace === undefined },
      ]);
    }),
  );
});
