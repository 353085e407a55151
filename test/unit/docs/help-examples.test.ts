import type { Command } from "commander";
import { expect, it } from "vitest";
import { changelingProgram } from "../../../scripts/changeling/program.ts";
import { readArguments, usages } from "../../../scripts/stack/setup/arguments.mjs";

const program = await changelingProgram();
const commands = (of: Command): Command[] => [of, ...of.commands.flatMap(commands)];

/** The example lines in a command's help, without the explanations behind them. */
function examplesOf(command: Command): string[] {
  let help = "";
  const writeOut = (text: string) => {
    help += text;
  };
  command.configureOutput({ writeOut }).outputHelp();
  const [, below = ""] = help.split("\nExamples:\n");
  return below.split("\n").flatMap((line) => (line.startsWith("  ") ? [line.trim().replace(/ {2,}\S.*$/, "")] : []));
}

/** The words of a command, as a shell reads them, up to a pipe or a redirection. */
function wordsOf(line: string): string[] {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)];
  const end = words.findIndex(([, , , plain = ""]) => /^[|<>&;]/.test(plain));
  return words.slice(0, end < 0 ? undefined : end).map(([, double, single, plain]) => double ?? single ?? plain ?? "");
}

/** The arguments of `changeling` that Commander accepted, or its error. */
async function parsed(words: readonly string[]): Promise<string> {
  let ran = "";
  const program = await changelingProgram(words[0]);
  const silent = { writeErr: () => {}, writeOut: () => {} };
  for (const command of commands(program)) {
    command.exitOverride().configureOutput(silent);
    if (command.commands.length === 0)
      command.action(() => {
        ran = command.name();
      });
  }
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    return String(error);
  }
  return ran;
}

it.each(commands(program).map((command) => ({ name: command.name(), command })))(
  "the examples in the help of $name are accepted, and each command has one of its own",
  async ({ name, command }) => {
    const examples = examplesOf(command);
    expect(examples.length).toBeGreaterThan(0);
    const ran: string[] = [];
    for (const example of examples) {
      const [first, ...words] = wordsOf(example);
      expect(first).toBe("changeling");
      ran.push(await parsed(words));
    }
    expect(ran.filter((each) => /Error/.test(each) || each === "")).toEqual([]);
    if (command.commands.length === 0) expect(ran).toContain(name);
  },
);

it("finds an example that is wrong", async () => {
  for (const wrong of [
    "lst",
    "list --jsn",
    "run",
    "sandbox start",
    "seed show sprout",
    "sandbox start example --max-cost x",
  ])
    expect(await parsed(wordsOf(wrong)), wrong).toMatch(/Error/);
  expect(await parsed(wordsOf(`sandbox send example "Fix it" --json | jq -r '.x'`))).toBe("send");
});

it.each(Object.entries(usages))(
  "the examples in the help of the script %s are accepted",
  (name, { command, examples }) => {
    for (const example of examples) {
      if (example.startsWith("git ")) continue;
      expect(example.startsWith(command), example).toBe(true);
      const [, after = ""] = example.split(" -- ");
      // Its arguments are vitest's.
      if (name !== "test") expect(() => readArguments(name, wordsOf(after)), example).not.toThrow();
    }
  },
);
