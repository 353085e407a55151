import type { Failure } from "../answer.ts";
import { type Bag, isArchive, isAsset, isPlainObject, reveal, UNKNOWN, type Wire } from "../wire.ts";

/** The inputs that `Command` and `run` share. */
export interface RunInputs {
  stdin: string | undefined;
  logging: string | undefined;
  interpreter: string[] | undefined;
  dir: string | undefined;
  environment: Record<string, string> | undefined;
  assetPaths: string[] | undefined;
  archivePaths: string[] | undefined;
  addPreviousOutputInEnv: boolean | undefined;
}

export interface CommandInputs extends RunInputs {
  create: string | undefined;
  update: string | undefined;
  delete: string | undefined;
}

/** What a command printed, and the files it created, as recorded in the state. */
export interface Results {
  stdout: string;
  stderr: string;
  assets: Wire | undefined;
  archive: Wire | undefined;
}

class Mismatch extends Error {
  readonly failure: Failure;
  constructor(property: string, reason: string) {
    super(reason);
    this.failure = { property, reason };
  }
}

/**
 * Reads typed fields from a bag and collects their errors. Secrets are unwrapped; an unknown value reads as its type's
 * empty value. The texts are the official plugin's, including Go's type names.
 */
class FieldReader {
  readonly failures: Failure[] = [];
  private readonly bag: Bag;
  private readonly owner: string;
  private readonly known = new Set<string>();

  /** `owner` is the Go type in the official plugin's errors. */
  constructor(bag: Bag, owner: "CommandInputs" | "CommandOutputs" | "RunInputs") {
    this.bag = bag;
    this.owner = owner;
  }

  text = (name: string, goType = "string") => this.field(name, (value) => this.asText(value, name, goType));

  requiredText(name: string): string {
    if (this.bag[name] !== undefined) return this.text(name) ?? "";
    this.known.add(name);
    this.failures.push({ property: name, reason: `Missing required field '${name}' on 'local.${this.owner}'` });
    return "";
  }

  flag = (name: string) =>
    this.field(name, (value) => {
      if (value === UNKNOWN) return false;
      return typeof value === "boolean" ? value : this.reject(name, "bool", value);
    });

  texts = (name: string) =>
    this.field(name, (value) => {
      if (value === UNKNOWN) return [];
      if (!Array.isArray(value)) return this.reject(name, "[]string", value);
      return value.map((element, index) => this.asText(reveal(element), `${name}[${index}]`));
    });

  textMap = (name: string) =>
    this.field(name, (value) => {
      if (value === UNKNOWN) return {};
      if (!isPlainObject(value)) return this.reject(name, "map[string]string", value);
      const texts: Record<string, string> = {};
      for (const [key, element] of Object.entries(value)) {
        texts[key] = this.asText(reveal(element), `${name}[${key}] value`);
      }
      return texts;
    });

  values = (name: string) =>
    this.field(name, (value) => {
      if (value === UNKNOWN || Array.isArray(value)) return value;
      return this.reject(name, "[]interface {}", value);
    });

  raw = (name: string) => this.field(name, (value) => value);

  /** Call this last: every field not read so far is an error. */
  rejectOthers(): void {
    for (const name of Object.keys(this.bag)) {
      if (this.known.has(name)) continue;
      this.failures.push({ property: name, reason: `Unrecognized field '${name}' on 'local.${this.owner}'` });
    }
  }

  private field<T>(name: string, read: (value: Wire) => T): T | undefined {
    this.known.add(name);
    const value = this.bag[name];
    if (value === undefined) return undefined;
    try {
      return read(reveal(value));
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      this.failures.push(error.failure);
      return undefined;
    }
  }

  private asText(value: Wire, property: string, goType = "string"): string {
    if (value === UNKNOWN) return "";
    return typeof value === "string" ? value : this.reject(property, goType, value);
  }

  private reject(property: string, wanted: string, value: Wire): never {
    throw new Mismatch(
      property,
      isPlainObject(value)
        ? `An error occurred decoding '${this.owner}.${property}': Cannot decode Object{} to type ${wanted}; it isn't a struct, and no custom decoder exists`
        : `Field '${property}' on 'local.${this.owner}' must be a '${wanted}'; got '${goTypeOf(value)}' instead`,
    );
  }
}

function goTypeOf(value: Wire): string {
  if (Array.isArray(value)) return "[]interface {}";
  if (isAsset(value)) return "asset.Asset";
  if (isArchive(value)) return "archive.Archive";
  if (typeof value === "number") return "float64";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return value === null ? "null" : "resource.ResourceReference";
}

const readRunInputs = (fields: FieldReader): RunInputs => ({
  stdin: fields.text("stdin"),
  logging: fields.text("logging", "local.Logging"),
  interpreter: fields.texts("interpreter"),
  dir: fields.text("dir"),
  environment: fields.textMap("environment"),
  assetPaths: fields.texts("assetPaths"),
  archivePaths: fields.texts("archivePaths"),
  addPreviousOutputInEnv: fields.flag("addPreviousOutputInEnv"),
});

const readCommandInputs = (fields: FieldReader): CommandInputs => {
  fields.values("triggers");
  return {
    create: fields.text("create"),
    update: fields.text("update"),
    delete: fields.text("delete"),
    ...readRunInputs(fields),
  };
};

export interface Decoded<T> {
  value: T;
  failures: Failure[];
}

function decode<T>(fields: FieldReader, read: (fields: FieldReader) => T): Decoded<T> {
  const value = read(fields);
  fields.rejectOthers();
  return { value, failures: fields.failures };
}

/** The inputs of a `Command`. */
export const decodeCommand = (bag: Bag) => decode(new FieldReader(bag, "CommandInputs"), readCommandInputs);

/** The arguments of `run`. */
export const decodeRun = (bag: Bag) =>
  decode(new FieldReader(bag, "RunInputs"), (fields) => ({
    ...readRunInputs(fields),
    command: fields.requiredText("command"),
  }));

/** The state of a `Command`: its inputs and its last command's results. */
export const decodeState = (bag: Bag) =>
  decode(new FieldReader(bag, "CommandOutputs"), (fields): { inputs: CommandInputs; results: Results } => ({
    inputs: readCommandInputs(fields),
    results: {
      stdout: fields.requiredText("stdout"),
      stderr: fields.requiredText("stderr"),
      assets: fields.raw("assets"),
      archive: fields.raw("archive"),
    },
  }));

/** The failures as one error text of several lines. */
export const failureText = (failures: Failure[]): string =>
  `${failures.length} failures decoding:${failures.map((failure) => `\n\t${failure.property}: ${failure.reason}`).join("")}`;
