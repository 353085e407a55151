import fc from "fast-check";
import { expect, it } from "vitest";
import {
  environmentCodec,
  list,
  names,
  number,
  optionalNumber,
  optionalText,
  record,
  text,
  yesNo,
} from "../../components/command-environment.ts";

const codec = environmentCodec({
  name: ["NAME", text],
  note: ["NOTE", optionalText],
  enabled: ["ENABLED", yesNo],
  seconds: ["SECONDS", number],
  most: ["MOST", optionalNumber],
  args: ["ARGS", list],
  env: ["ENV", record],
  secrets: ["SECRETS", names],
});

const values = fc.record(
  {
    name: fc.string(),
    enabled: fc.boolean(),
    seconds: fc.integer(),
    args: fc.array(fc.string()),
    // zod leaves a key "__proto__" out of a record, so no loaded fleet has one.
    env: fc.dictionary(
      fc.string().filter((name) => name !== "__proto__"),
      fc.string(),
    ),
    secrets: fc.uniqueArray(fc.stringMatching(/^[A-Z_]+$/)).map((all) => all.sort()),
    note: fc.string(),
    most: fc.integer(),
  },
  { requiredKeys: ["name", "enabled", "seconds", "args", "env", "secrets"] },
);

it("gives back what it was given, as texts, and leaves out what is not set", () => {
  fc.assert(
    fc.property(values, (given) => {
      const environment = codec.encode(given);
      for (const value of Object.values(environment)) expect(["string", "undefined"]).toContain(typeof value);
      expect(codec.decode({ ...environment, DRIFT: "", PATH: "/bin" })).toEqual(given);
    }),
  );
});

it("has no variable for what is undefined or empty", () => {
  const least = { name: "a", enabled: false, seconds: 5, args: [], env: {}, secrets: [] };
  expect(JSON.parse(JSON.stringify(codec.encode(least)))).toEqual({ NAME: "a", ENABLED: "no", SECONDS: "5" });
  expect(codec.named({ name: 1, most: 2 })).toEqual({ NAME: 1, MOST: 2 });
});

it("reports every variable that is missing or wrong by its name, and quotes none", () => {
  const { error } = codec.schema.safeParse({ ENABLED: "maybe", SECONDS: "5", ARGS: "{hush", ENV: '["hush"]' });
  expect(error?.issues.map(({ path }) => path.join("."))).toEqual(["NAME", "ENABLED", "ARGS", "ENV"]);
  expect(error?.issues.map(({ message }) => message).join()).not.toContain("hush");
});
