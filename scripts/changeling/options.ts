import { Option } from "commander";

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

/** The examples at the end of a command's help. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  changeling ${line}`).join("\n")}`;
}
