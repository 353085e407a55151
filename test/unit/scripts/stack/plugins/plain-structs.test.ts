import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { usePlainStructs } from "../../../../../scripts/stack/plugins/plain-structs.ts";

type Structs = typeof import("google-protobuf/google/protobuf/struct_pb.js");

/** A copy of protobuf's module that shares no class with another. */
function copyOfStructs(): Structs {
  const require = createRequire(import.meta.url);
  for (const file of Object.keys(require.cache)) if (file.includes("/google-protobuf/")) delete require.cache[file];
  return require("google-protobuf/google/protobuf/struct_pb.js");
}

const original = copyOfStructs();
const plain = copyOfStructs();
usePlainStructs(plain);

/** Protobuf itself loses keys called `__proto__`. */
const anObject = () =>
  fc
    .dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ stringUnit: "grapheme" }), { noNullPrototype: true })
    .filter((object) => !JSON.stringify(object).includes('"__proto__":'));
const bytesOf = ({ Struct }: Structs, object: object) => Struct.fromJavaScript(object as never).serializeBinary();
const objectOf = ({ Struct }: Structs, bytes: Uint8Array) => Struct.deserializeBinary(bytes).toJavaScript();

test("it reads what protobuf writes, as protobuf does", () => {
  fc.assert(
    fc.property(anObject(), (object) => {
      const bytes = bytesOf(original, object);
      expect(objectOf(plain, bytes)).toEqual(objectOf(original, bytes));
    }),
  );
});

test("it sorts keys, as protobuf does, in whatever order they were sent", () => {
  fc.assert(
    fc.property(anObject(), anObject(), (one, other) => {
      const bytes = Buffer.concat([one, { other }].map((part) => bytesOf(original, part)));
      expect(JSON.stringify(objectOf(plain, bytes))).toBe(JSON.stringify(objectOf(original, bytes)));
    }),
  );
});

test("protobuf reads what it writes", () => {
  fc.assert(
    fc.property(anObject(), (object) => {
      expect(objectOf(original, bytesOf(plain, object))).toEqual(objectOf(original, bytesOf(original, object)));
    }),
  );
});

test("it keeps nulls, empty values and numbers of all sizes", () => {
  const object = {
    null: null,
    text: "",
    list: [null, [], {}],
    object: { "": null },
    small: 5e-324,
    large: 1e308,
    no: false,
  };
  expect(objectOf(plain, bytesOf(plain, object))).toEqual(object);
});

test("it keeps keys that are special in JavaScript", () => {
  const object = JSON.parse('{"__proto__":{"a":1},"b":{"__proto__":5,"constructor":null}}');
  expect(JSON.stringify(objectOf(plain, bytesOf(plain, object)))).toBe(JSON.stringify(object));
});

test("its messages can be read and changed", () => {
  const message = plain.Struct.deserializeBinary(bytesOf(original, { a: { b: [1] }, c: "d" }));
  expect(message.getFieldsMap().get("a")?.getStructValue()?.toJavaScript()).toEqual({ b: [1] });
  message.getFieldsMap().set("c", plain.Value.fromJavaScript("e"));
  expect(message.toJavaScript()).toEqual({ a: { b: [1] }, c: "e" });
  expect(objectOf(original, message.serializeBinary())).toEqual({ a: { b: [1] }, c: "e" });
  message.clearFieldsMap();
  expect(message.toJavaScript()).toEqual({});
});

test("a message is not changed with the object that it was made of or read into", () => {
  const object = { a: ["b"] };
  const message = plain.Struct.fromJavaScript(object);
  object.a.push("c");
  message.toJavaScript()["d"] = 1;
  expect(message.toJavaScript()).toEqual({ a: ["b"] });
});

test("a key can be __proto__", () => {
  const object = JSON.parse('{ "__proto__": { "polluted": true } }');
  expect(Object.keys(objectOf(plain, bytesOf(plain, object)))).toEqual(["__proto__"]);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

test.each([[undefined], [() => 1], [1n]])("it rejects %s in the words of protobuf", (value) => {
  for (const structs of [original, plain]) {
    expect(() => structs.Struct.fromJavaScript({ value } as never)).toThrow("Unexpected struct type.");
  }
});
