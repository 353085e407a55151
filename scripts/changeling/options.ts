import { type Command, Option } from "commander";

/** Options shared by several commands. */

export function yesOption(): Option {
  return new Option("-y, --yes", "don't ask");
}

export function branchOption(): Option {
  return new Option("-b, --branch <branch>", "the branch of the git repository to follow");
}

export function pathOption(): Option {
  return new Option(
    "-a, --add-path <src:dest>",
    "copy a file or folder into its repository; may be repeated",
  ).argParser(repeatable);
}

function repeatable(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/**
 * Adds what each command has: the options that may also be before its name, and a hint after wrong use. `changeling list
 * --json` reads better than `changeling --json list`.
 *
 * @param note appended to the description of `--stack`
 */
export function addSharedOptions(commands: readonly Command[], note = ""): void {
  for (const command of commands)
    withHint(command)
      .option("-s, --stack <name>", `the Pulumi stack to work on${note}`)
      .option("--json", "print JSON, for scripts");
}

/** Wrong use throws a CommanderError after its message and a hint were printed. */
export function withHint(command: Command): Command {
  return command.exitOverride().showHelpAfterError("(add --help for the options and examples)");
}

/** The examples at the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  changeling ${line}`).join("\n")}`;
}
