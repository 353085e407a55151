import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import type { Schemas } from "../../../../components/fleet/kind.ts";
import { vocabularyOf } from "../../../../components/fleet/vocabulary.ts";
import { shapeOf } from "../../../../components/fleet/zod-issues.ts";
import { kinds } from "../../../../components/kinds.ts";
import { runtimes } from "../../../../components/sandbox/runtimes/registry.ts";
import { listedMetrics } from "../../../../components/seed-agent/program/events/metrics.ts";
import { variables as seedVariables } from "../../../../components/seed-agent/program/settings.ts";
import { webSettings } from "../../../../components/web/settings.ts";
import { fleetSchema, type JsonSchema } from "../../../../scripts/dev/docs/json-schema.ts";
import { generatedFiles, staleFiles } from "../../../../scripts/dev/docs.ts";
import { projectFolder } from "../../../../scripts/stack/project.ts";
import { Sandbox } from "../../../support/fleet-sandbox.ts";

const schema = fleetSchema();

/** What of the value the schema refuses, by path. As much of draft 4 as the schema uses; anything else throws. */
function refused(value: unknown, by: JsonSchema, path = ""): string[] {
  const known = new Set(
    "$schema title description default type enum pattern minLength minimum maximum items properties patternProperties additionalProperties required".split(
      " ",
    ),
  );
  const unread = Object.keys(by).filter((key) => !known.has(key));
  if (unread.length > 0) throw new Error(`${path}: ${unread.join()} is not read here`);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const isType = {
    string: typeof value === "string",
    boolean: typeof value === "boolean",
    integer: Number.isInteger(value),
    number: typeof value === "number",
    array: Array.isArray(value),
    object: isObject,
  }[String(by.type)];
  if (isType !== true) return [path];
  if (by.enum !== undefined && !by.enum.some((choice) => choice === value)) return [path];
  if (typeof value === "string" && (value.length < (by.minLength ?? 0) || !new RegExp(by.pattern ?? "").test(value)))
    return [path];
  if (typeof value === "number" && (value < (by.minimum ?? 0) || value > (by.maximum ?? Infinity))) return [path];
  if (Array.isArray(value))
    return value.flatMap((item, index) => refused(item, schemaOf(by.items), `${path}[${index}]`));
  if (!isObject) return [];
  const missing = (by.required ?? []).filter((key) => !Object.hasOwn(value, key));
  if (missing.length > 0) return missing.map((key) => `${path}.${key}`);
  return Object.entries(value).flatMap(([key, item]) => {
    const below = path === "" ? key : `${path}.${key}`;
    const pattern = Object.entries(by.patternProperties ?? {}).find(([names]) => new RegExp(names).test(key));
    const own = by.properties?.[key] ?? pattern?.[1];
    if (own !== undefined) return refused(item, schemaOf(own), below);
    return by.additionalProperties === false ? [below] : [];
  });
}

function schemaOf(value: JsonSchema["items"]): JsonSchema {
  if (typeof value !== "object" || Array.isArray(value)) throw new Error("not one schema");
  return value;
}

const vocabulary = vocabularyOf(kinds);

describe("the JSON schema", () => {
  it("is of the draft that taplo reads in full, and uses nothing newer", () => {
    expect(schema.$schema).toBe("http://json-schema.org/draft-04/schema#");
    expect(refused({}, schema)).toEqual([]);
  });

  it.each([
    ["[changelings.a]", []],
    [
      "timezone = 'UTC'\nmngr_profile = 'x'\n[defaults]\nkeep_runs = 0\n[changelings.a]\nsecrets = []\nenv = { A = '' }",
      [],
    ],
    ["timezon = 'UTC'", ["timezon"]],
    ["[changelings.Bad_Name]", ["changelings.Bad_Name"]],
    ["[changelings.a]\nshedule = ''", ["changelings.a.shedule"]],
    [
      "[changelings.a]\nenabled = 'yes'\nkind = 'seed-agnt'\noverlap = 'queue'",
      ["changelings.a.enabled", "changelings.a.kind"],
    ],
    [
      "[changelings.a]\ntimeout_seconds = 59\nkeep_runs = 1001\nsettle_seconds = 5.5",
      ["changelings.a.timeout_seconds", "changelings.a.keep_runs", "changelings.a.settle_seconds"],
    ],
    [
      "[changelings.a]\nsecrets = ['GITHUB_TOKEN', 'lower']\nenv = { 'a b' = '', C = 1 }",
      ["changelings.a.secrets[1]", "changelings.a.env.a b", "changelings.a.env.C"],
    ],
    ["[defaults]\nrenamed_from = 'a'\n[changelings.b]\nrenamed_from = 'c'", ["defaults.renamed_from"]],
    [
      "[changelings.a]\nprovider = 'modal'\nimage = 'pinned'\nhistory_depth = 0\nsnapshot_max_age = '7 d'\nverify = 'no'",
      ["changelings.a.history_depth", "changelings.a.snapshot_max_age", "changelings.a.verify"],
    ],
    ["[[changelings]]", ["changelings"]],
    [
      "[forwarding]\nport = 0\nhosts = 'x'\nrouting = 'hots'\ncode_ttl = '15 m'",
      ["forwarding.port", "forwarding.hosts", "forwarding.routing", "forwarding.code_ttl"],
    ],
    [
      "[changelings.a]\nkind = 'web'\nstart_timeout_seconds = 4\nadd_paths = 'a:b'\n[changelings.a.settings.chat]\nmodel = ''\ncontext = { max_content_length = 1.5, max = 1 }",
      [
        "changelings.a.start_timeout_seconds",
        "changelings.a.add_paths",
        "changelings.a.settings.chat.model",
        "changelings.a.settings.chat.context.max_content_length",
        "changelings.a.settings.chat.context.max",
      ],
    ],
  ])("on %j refuses %j", (text, paths) => {
    expect(refused(parse(text), schema)).toEqual(paths);
  });

  it.each(["example.toml", "everything.toml"])("accepts changelings/%s", (file) => {
    expect(refused(parse(readFileSync(join(projectFolder, "changelings", file), "utf8")), schema)).toEqual([]);
  });

  const [named] = Object.values(schemaOf(schema.properties?.["changelings"]).patternProperties ?? {});
  const changeling = schemaOf(named);

  it("describes every option with its default, also those of nested tables", () => {
    const look = (options: Schemas, of: JsonSchema) => {
      expect(Object.keys(of.properties ?? {})).toEqual(Object.keys(options));
      for (const [key, option] of Object.entries(of.properties ?? {})) {
        const { description = "", default: preset } = schemaOf(option);
        expect([key, description.includes(`For instance: ${key} = `)]).toEqual([key, true]);
        expect([key, preset !== undefined || description.includes(" Default: ")]).toEqual([key, true]);
        const [schema] = Object.entries(options).flatMap(([name, found]) => (name === key ? [found] : []));
        const within = schema === undefined || key === "defaults" ? {} : shapeOf(schema);
        if (Object.keys(within).length > 0) look(within, schemaOf(option));
      }
    };
    look(vocabulary.file, schema);
    look(vocabulary.changeling, changeling);
  });

  it("says which options only one kind has", () => {
    const whose = Object.entries(changeling.properties ?? {}).map(([key, option]) => [
      key,
      /^For kind = "([\w-]+)" only\. /.exec(schemaOf(option).description ?? "")?.[1],
    ]);
    expect(whose).toEqual([
      ...Object.keys(vocabulary.shared).map((key) => [key, undefined]),
      ...Object.keys(vocabulary.changeling).flatMap((key) => {
        const owners = Object.entries(kinds).flatMap(([name, { options }]) => (key in options ? [name] : []));
        return owners.length === 0 ? [] : [[key, owners.length === 1 ? owners[0] : undefined]];
      }),
    ]);
  });
});

describe("the reference", () => {
  const { chat, watchers, provisioning } = webSettings.shape;
  const tables = [
    ["chat", shapeOf(chat)],
    ["chat.context", shapeOf(shapeOf(chat)["context"] ?? chat)],
    ["chat.extra_context", shapeOf(shapeOf(chat)["extra_context"] ?? chat)],
    ["watchers", shapeOf(watchers)],
    ["provisioning", shapeOf(provisioning)],
  ] as const;

  /** The file's tables that belong to one kind, such as `[forwarding]`. */
  const fileTables = Object.entries(vocabulary.file).flatMap(([key, table]) =>
    key === "defaults" || Object.keys(shapeOf(table)).length === 0 ? [] : [[key, shapeOf(table)] as const],
  );

  const configurable = Object.entries(runtimes).filter(([, { table }]) => Object.keys(table.shape).length > 0);

  it("has a row for every option, with its default and unit, in a section for each table", () => {
    const text = generatedFiles().get("changelings/REFERENCE.md") ?? "";
    const rows = text.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.map((row) => /`(\w+)`/.exec(row)?.[1])).toEqual([
      ...Object.keys(vocabulary.file),
      ...fileTables.flatMap(([, table]) => Object.keys(table)),
      ...Object.keys(vocabulary.shared),
      ...Object.entries(kinds).flatMap(([name, { options }]) => [
        ...Object.keys(options),
        ...(name === "web" ? tables.flatMap(([, table]) => Object.keys(table)) : []),
      ]),
      ...configurable.flatMap(([, { table }]) => Object.keys(table.shape)),
      ...Object.keys(seedVariables),
      ...listedMetrics().map(({ name }) => name),
    ]);
    expect(fileTables.map(([key]) => key)).toEqual(["forwarding", "sandboxes"]);
    const sections = text.split("\n").filter((line) => line.startsWith("#"));
    expect(sections).toEqual([
      "# The fleet file",
      "## Keys of the file",
      ...fileTables.map(([key]) => `## Keys of \`[${key}]\``),
      "## Options of every changeling",
      ...Object.keys(kinds).flatMap((name) => [
        `## Options of \`kind = "${name}"\``,
        ...(name === "web" ? tables.map(([path]) => `### \`[changelings.<name>.settings.${path}]\``) : []),
      ]),
      ...configurable.map(([name]) => `## Options in \`runtime_config\` of \`runtime = "${name}"\``),
      "## Variables of a seed agent's service",
      "## Metrics of a seed agent's service",
    ]);
    for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(7);
    const cells = rows.map((row) =>
      row
        .split("|")
        .slice(1, 5)
        .map((cell) => cell.trim()),
    );
    expect(cells).toContainEqual(["`timeout_seconds`", "integer", "`3600`", "seconds, 60 to 86400"]);
    expect(cells).toContainEqual(["`fs_hard_timeout_seconds`", "number", "`16`", "seconds, 0.1 to 86400"]);
    expect(cells).toContainEqual(["`port`", "integer", "`8420`", "1 to 65535"]);
    expect(cells).toContainEqual(["`context`", "table", "the defaults of its keys", ""]);
    const names = '`["GITHUB_TOKEN", "ANTHROPIC_API_KEY"]`';
    expect(cells).toContainEqual(["`secrets`", "list of strings", names, "names of variables"]);
  });
});

describe("npm run docs", () => {
  it("finds the generated files of this checkout fresh", () => {
    expect(staleFiles(projectFolder)).toEqual([]);
  });

  it("--check fails when one is stale or missing, and says what to do; without it they are written", () => {
    using sandbox = new Sandbox();
    for (const folder of ["scripts/dev/docs", "components"])
      cpSync(join(projectFolder, folder), join(sandbox.folder, folder), { recursive: true });
    for (const file of [
      "scripts/dev/docs.ts",
      "scripts/stack/project.ts",
      "scripts/stack/setup/arguments.mjs",
      "package.json",
    ])
      cpSync(join(projectFolder, file), join(sandbox.folder, file));
    symlinkSync(join(projectFolder, "node_modules"), join(sandbox.folder, "node_modules"));
    mkdirSync(join(sandbox.folder, "changelings"));
    for (const file of ["stock.ts", "stock-web.ts"])
      cpSync(join(projectFolder, "changelings", file), join(sandbox.folder, "changelings", file));
    const docs = (...args: string[]) => {
      try {
        const stdout = execFileSync(process.execPath, [join(sandbox.folder, "scripts/dev/docs.ts"), ...args], {
          cwd: sandbox.folder,
          env: { PATH: process.env["PATH"] },
          encoding: "utf8",
          stdio: ["ignore", "pipe", "pipe"],
        });
        return { code: 0, said: stdout };
      } catch (error) {
        if (!(error instanceof Error && "status" in error && "stderr" in error)) throw error;
        return { code: error.status, said: String(error.stderr) };
      }
    };
    expect(docs("--check")).toEqual({
      code: 1,
      said: "changelings/schema.json is stale\n    → npm run docs\nchangelings/REFERENCE.md is stale\n    → npm run docs\n",
    });
    expect(docs()).toEqual({ code: 0, said: "changelings/schema.json written\nchangelings/REFERENCE.md written\n" });
    expect(docs("--check")).toEqual({ code: 0, said: "" });
    const reference = sandbox.write("changelings/REFERENCE.md", "edited by hand");
    expect(docs("--check")).toEqual({ code: 1, said: "changelings/REFERENCE.md is stale\n    → npm run docs\n" });
    expect(readFileSync(reference, "utf8")).toBe("edited by hand");
    expect(docs("--chek").code).toBe(2);
  });
});
