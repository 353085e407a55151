import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { changelingProgram } from "../../../scripts/changeling/program.ts";
import { projectFolder } from "../../../scripts/stack/project.ts";
import { commandsOf, markdownFiles } from "../../support/markdown.ts";

const text = (path: string) => readFileSync(join(projectFolder, path), "utf8");
const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(text("package.json")));
const program = await changelingProgram();

/** What people read. The demo repository, the sandboxes' image, the stock agents' own repositories and their prompts speak of other projects. */
const documents = [
  ...markdownFiles().filter(
    ({ path }) => !/^changelings\/.+\/|^changelings\/common|^test\/|\/sandbox\/image\/app\//.test(path),
  ),
  ...["changelings/example.toml", "changelings/everything.toml"].map((path) => ({ path, text: text(path) })),
];

/** What is wrong with a command that is shown; nothing when it is not one of ours. */
function wrongCommand(command: string): string | undefined {
  const changeling = /(?:^|[\s(])(?:npm run changeling --|npx changeling|changeling) ([a-z][a-z-]*)(.*)/.exec(command);
  if (changeling !== null) return wrongChangeling(program, changeling[1] ?? "", changeling[2] ?? "");
  const npm = /(?:^|\s)npm (?:run (?:-s )?([\w:-]+)|(start|stop|test)\b)(?: -- (.*))?/.exec(command);
  if (npm === null) return;
  const [, run, short, rest = ""] = npm;
  const script = run ?? short ?? "";
  if (scripts[script] === undefined) return `no script ${script}`;
  // These hand their arguments on to a program that is not ours.
  return ["test", "pulumi", "changeling"].includes(script) ? undefined : wrongArguments(script, rest);
}

function wrongChangeling(group: Command, name: string, rest: string): string | undefined {
  const command = group.commands.find((each) => each.name() === name);
  if (command === undefined) return `no command ${name}`;
  const [, below, others] = /^ ([a-z][a-z-]*)(.*)/.exec(rest) ?? [];
  if (command.commands.length > 0 && below !== undefined) return wrongChangeling(command, below, others ?? "");
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  known.add("--help");
  return flagsOf(rest).find((flag) => !known.has(flag));
}

/** The --help of the other scripts has to name their options. */
function wrongArguments(script: string, rest: string): string | undefined {
  const words = rest.split(/\s+/).filter((word) => /^-|^[a-z]/.test(word) && word !== "--help");
  if (words.length === 0) return;
  const [first = "", ...others] = words;
  const help = first.startsWith("-") || script === "bench" ? helpOf(script) : helpOf(script, first);
  const wanted = first.startsWith("-") || script === "bench" ? words : others;
  return wanted.find((word) => (word.startsWith("-") || script === "bench") && !help.split(/[^\w-]+/).includes(word));
}

function flagsOf(rest: string): string[] {
  return [...rest.matchAll(/(?:^|[\s[])(--?[a-z][a-z-]*)/g)].map(([, flag = ""]) => flag);
}

const helps = new Map<string, string>();

function helpOf(script: string, ...args: string[]): string {
  const key = [script, ...args].join(" ");
  const known = helps.get(key);
  if (known !== undefined) return known;
  const file = /launch\.mjs (\S+)/.exec(scripts[script] ?? "")?.[1] ?? script;
  const help = execFileSync(
    process.execPath,
    [join(projectFolder, "scripts/stack/launch.mjs"), file, ...args, "--help"],
    {
      cwd: projectFolder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        CHANGELINGS_CACHE: process.env["CHANGELINGS_CACHE"],
      },
    },
  );
  helps.set(key, help);
  return help;
}

it("every command that the documentation shows exists, with its options", () => {
  const shown = documents.flatMap((each) => commandsOf(each.text).map((command) => ({ path: each.path, command })));
  const ours = shown.filter(({ command }) => /\bnpm (run|start|stop|test)\b|\bchangeling [a-z]/.test(command));
  expect(ours.length).toBeGreaterThan(100);
  const wrong = ours.flatMap(({ path, command }) => {
    const problem = wrongCommand(command);
    return problem === undefined ? [] : [`${path}: ${command}: ${problem}`];
  });
  expect(wrong).toEqual([]);
  // It starts the other scripts for their --help.
}, 120_000);

describe("a command that does not exist", () => {
  it.each([
    ["npm run chek", "no script chek"],
    ["npm run changeling -- lst", "no command lst"],
    ["npx changeling list --stak home", "--stak"],
    ["changeling sandbox strt example", "no command strt"],
    ["changeling sandbox start example --max-cos 5", "--max-cos"],
    ["changeling deploy --agent-type chat --nam x", "--nam"],
    ["export A=b && npm run changeling -- plan --wait", "--wait"],
    ["npm run pipeline -- apply --exclusiv", "--exclusiv"],
    ["npm run bench -- comands", "comands"],
    ["npm stop -- --date", "--date"],
  ])("%s is found", (command, problem) => {
    expect(wrongCommand(command)).toBe(problem);
  });

  it.each(["npm run pulumi -- up --anything", "npm test -- --project journeys", "changeling", "npm install x"])(
    "%s is not ours to check",
    (command) => {
      expect(wrongCommand(command)).toBeUndefined();
    },
  );
});

describe("docs/reference/commands.md", () => {
  const reference = text("docs/reference/commands.md");
  const shared = new Set(["--stack", "--json", "--help", "--provider", "--as"]);

  const leaves = program.commands.flatMap((command) =>
    command.commands.length === 0
      ? [{ name: command.name(), command }]
      : command.commands.map((each) => ({ name: `${command.name()} ${each.name()}`, command: each })),
  );

  it.each(leaves)("has a row for $name, with its options", ({ name, command }) => {
    const row = reference.split("\n").find((line) => line.startsWith("|") && line.includes(`\`changeling ${name}`));
    const own = command.options.flatMap(({ long }) => (long == null || shared.has(long) ? [] : [long]));
    expect(own.filter((option) => row?.includes(option) !== true)).toEqual([]);
    expect(row).toBeDefined();
  });

  it("has every npm script", () => {
    const named = commandsOf(reference).flatMap((command) => /^npm (?:run )?([\w:-]+)/.exec(command)?.[1] ?? []);
    expect(new Set(named)).toEqual(new Set(Object.keys(scripts)));
  });
});

it("every command that a message advises exists", () => {
  const sources = execFileSync("git", ["ls-files", "-z", "components/*.ts", "scripts/*.ts", "index.ts"], {
    cwd: projectFolder,
    encoding: "utf8",
  });
  const advised = sources.split("\0").flatMap((path) => {
    if (path === "") return [];
    return [...text(path).matchAll(/changelingCommand\([^)]*\)\} ([a-z][a-z-]*)/g)].map(([, name = ""]) => ({
      path,
      name,
    }));
  });
  expect(advised.length).toBeGreaterThan(20);
  const names = new Set(program.commands.map((command) => command.name()));
  expect(advised.filter(({ name }) => !names.has(name))).toEqual([]);
});

/** The full names of all commands that do something, such as "sandbox list". */
function leaves(group: Command, before = ""): string[] {
  return group.commands.flatMap((each) =>
    each.commands.length === 0 ? [`${before}${each.name()}`] : leaves(each, `${before}${each.name()} `),
  );
}

it("the reference has the JSON of every command, and of no other", () => {
  const rows = text("docs/reference/json.md").matchAll(/^\| (`[a-z][^|]*) \|/gm);
  const listed = [...rows].flatMap(([, cell = ""]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
  const kinds = ["cron", "web", "sandbox", "seed-agent"];
  expect(listed.filter((name) => !kinds.includes(name)).sort()).toEqual(
    leaves(program)
      .filter((name) => name !== "help")
      .sort(),
  );
});

it("every message that the troubleshooting guide quotes exists", () => {
  const sources = execFileSync("git", ["grep", "-h", "-I", "", "--", "components", "scripts"], {
    cwd: projectFolder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const quoted = [...text("docs/how-to/troubleshooting.md").matchAll(/^\| `([^`]+)`/gm)].map(
    ([, message = ""]) => message,
  );
  expect(quoted.length).toBeGreaterThan(10);
  // Messages are templates, so only their longer literal parts are compared.
  const parts = quoted.flatMap((message) =>
    message.split(/ \(…|…|"|[;:,] | or |[A-Z_]{6,}|fixme-fairy|config\.toml:\d+|[\d.]{4,}/),
  );
  const missing = parts.flatMap((part = "") =>
    part.trim().length < 12 || sources.includes(part.trim()) ? [] : [part],
  );
  expect(missing).toEqual([]);
});
