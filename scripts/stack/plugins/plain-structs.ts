import type { BinaryReader, BinaryWriter, Map as FieldsMap } from "google-protobuf";
import type { Struct, Value } from "google-protobuf/google/protobuf/struct_pb.js";

type Plain = null | boolean | number | string | Plain[] | PlainObject;
type PlainObject = { [key: string]: Plain };
type Fields = FieldsMap<string, Value>;

/** The module `google-protobuf/google/protobuf/struct_pb`. */
interface Structs {
  readonly Struct: typeof Struct;
  readonly Value: typeof Value;
}

/** What a message contains, as long as nothing has asked for it as messages. */
const contents = new WeakMap<object, PlainObject>();

/**
 * Reads protobuf's `Struct`, in which Pulumi's protocol has all properties of resources, into plain objects, and writes
 * it from them. By itself, protobuf makes about five objects for each value, only to be converted. The class works as
 * before: it makes the messages when something asks for them. Only a clone of a message would miss its content.
 */
export function usePlainStructs({ Struct: struct, Value: value }: Structs): void {
  const { getFieldsMap, toJavaScript } = struct.prototype;
  const { serializeBinaryToWriter } = struct;

  struct.fromJavaScript = (object) => {
    const message = new struct();
    contents.set(message, plainObject(object));
    return message;
  };
  struct.deserializeBinaryFromReader = (message, reader) => {
    const fields = plainObject(isEmpty(message) ? {} : message.toJavaScript());
    readStruct(fields, reader);
    if (!isEmpty(message)) message.clearFieldsMap();
    contents.set(message, fields);
    return message;
  };
  struct.serializeBinaryToWriter = (message, writer) => {
    const content = contents.get(message);
    if (content === undefined) serializeBinaryToWriter.call(struct, message, writer);
    else writeStruct(content, writer);
  };
  struct.prototype.toJavaScript = function (this: Struct) {
    const content = contents.get(this);
    // A copy, which belongs to the caller.
    return content === undefined ? toJavaScript.call(this) : plainObject(content);
  };
  struct.prototype.getFieldsMap = function (this: Struct, ...options: []): Fields {
    const content = contents.get(this);
    if (content === undefined) return getFieldsMap.apply(this, options);
    contents.delete(this);
    const fields = getFieldsMap.call(this);
    for (const [key, each] of Object.entries(content)) fields.set(key, value.fromJavaScript(each));
    return fields;
  };

  // By its option, the map is not created.
  const isEmpty = (message: Struct) =>
    !contents.has(message) && Reflect.apply(getFieldsMap, message, [true]) === undefined;
}

/** Its keys are sorted, as protobuf's are: an engine sends a Go map, whose order differs from run to run. */
function plainObject(object: object): PlainObject {
  const copy: PlainObject = {};
  for (const key of Object.keys(object).sort()) setKey(copy, key, plain((object as Record<string, unknown>)[key]));
  return copy;
}

function setKey(object: PlainObject, key: string, value: Plain): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
}

/** @throws for what is no JSON, in protobuf's words */
function plain(value: unknown): Plain {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value;
    case "object":
      if (value === null) return null;
      return Array.isArray(value) ? value.map(plain) : plainObject(value);
    default:
      throw new Error("Unexpected struct type.");
  }
}

function readStruct(into: PlainObject, reader: BinaryReader): void {
  while (reader.nextField()) {
    if (reader.isEndGroup()) return;
    if (reader.getFieldNumber() === 1) reader.readMessage(into, readEntry);
    else reader.skipField();
  }
}

function readEntry(into: unknown, reader: BinaryReader): void {
  let key = "";
  const holder: Plain[] = [];
  while (reader.nextField()) {
    if (reader.isEndGroup()) break;
    if (reader.getFieldNumber() === 1) key = reader.readString();
    else if (reader.getFieldNumber() === 2) reader.readMessage(holder, readValue);
    else reader.skipField();
  }
  setKey(into as PlainObject, key, holder.at(-1) ?? null);
}

/** Appends the value, or null if it has none. */
function readValue(into: unknown, reader: BinaryReader): void {
  let value: Plain = null;
  while (reader.nextField()) {
    if (reader.isEndGroup()) break;
    switch (reader.getFieldNumber()) {
      case 1:
        reader.readEnum();
        value = null;
        break;
      case 2:
        value = reader.readDouble();
        break;
      case 3:
        value = reader.readString();
        break;
      case 4:
        value = reader.readBool();
        break;
      case 5: {
        const object: PlainObject = {};
        reader.readMessage(object, readStructInto);
        value = object;
        break;
      }
      case 6: {
        const list: Plain[] = [];
        reader.readMessage(list, readList);
        value = list;
        break;
      }
      default:
        reader.skipField();
    }
  }
  (into as Plain[]).push(value);
}

const readStructInto = (into: unknown, reader: BinaryReader): void => readStruct(into as PlainObject, reader);

function readList(into: unknown, reader: BinaryReader): void {
  while (reader.nextField()) {
    if (reader.isEndGroup()) return;
    if (reader.getFieldNumber() === 1) reader.readMessage(into, readValue);
    else reader.skipField();
  }
}

function writeStruct(object: PlainObject, writer: BinaryWriter): void {
  for (const key in object) writer.writeMessage(1, [key, object[key] ?? null], writeEntry);
}

function writeEntry([key, value]: [string, Plain], writer: BinaryWriter): void {
  writer.writeString(1, key);
  writer.writeMessage(2, [value], writeValue);
}

function writeValue([value]: [Plain], writer: BinaryWriter): void {
  if (value === null) writer.writeEnum(1, 0);
  else if (typeof value === "number") writer.writeDouble(2, value);
  else if (typeof value === "string") writer.writeString(3, value);
  else if (typeof value === "boolean") writer.writeBool(4, value);
  else if (Array.isArray(value)) writer.writeMessage(6, value, writeList);
  else writer.writeMessage(5, value, writeStruct);
}

function writeList(list: Plain[], writer: BinaryWriter): void {
  for (const value of list) writer.writeMessage(1, [value], writeValue);
}
