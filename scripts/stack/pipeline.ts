/** `npm run pipeline -- …`: what a CI job runs for a fleet in a repository. It works the same on a laptop. */

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { messageOf } from "../../components/lib/as-error.ts";
import { printNote, printText } from "../../components/lib/terminal.ts";
import { apply } from "./pipeline/apply.ts";
import { comment, commentMarker } from "./pipeline/comment.ts";
import { forgeOf } from "./pipeline/forge.ts";
import { pipelineStack } from "./pipeline/job-environment.ts";
import { preview } from "./pipeline/preview.ts";
import { withRemedy } from "./pipeline/remedies.ts";

// A secret that a pipeline names but that isn't set reaches the job as an empty variable, and Pulumi accepts an empty
// passphrase.
for (const [name, value] of Object.entries(process.env)) if (value === "") delete process.env[name];

interface Options {
  readonly stack?: string;
  readonly out?: string;
  readonly withoutState?: true;
  readonly exclusive?: true;
}

const program = new Command("npm run pipeline --")
  .description("What a CI job does with a fleet that is kept in a repository. See docs/how-to/pipelines.md.")
  .addHelpText("after", examples("preview --stack prod", "preview --help"))
  .showHelpAfterError("(add --help for the options)")
  .exitOverride();

command("preview", "show what the next apply changes, as Markdown; exits with 1 if the fleet can't be applied")
  .option("-o, --out <file>", "write it to this file instead of stdout")
  .option("--without-state", "compare with an empty stack: needs no key and no backend")
  .addHelpText(
    "after",
    examples("preview --stack prod", "preview --stack prod --out plan.md", "preview --without-state"),
  )
  .action(async ({ stack, out, withoutState }: Options) => {
    const isValid = await preview({ stack: pipelineStack(stack), out, withoutState: withoutState === true });
    if (!isValid) process.exitCode = 1;
  });

command("comment", "post a preview as the one comment on this job's pull request, edited in place")
  .argument("<file>", "the file that preview wrote")
  .addHelpText("after", examples("comment plan.md --stack prod"))
  .action(async (file: string, { stack }: Options) => {
    const marker = commentMarker(pipelineStack(stack).name);
    printText(`${await comment(forgeOf(process.env), marker, readFileSync(file, "utf8"))}\n`);
  });

command("apply", "run `pulumi up`, after cleaning up after a killed job; exits with its exit code")
  .option(
    "--exclusive",
    "the pipeline runs no other job on the stack at the same time, so a killed job's lock is removed",
  )
  .addHelpText("after", examples("apply --stack prod", "apply --stack prod --exclusive"))
  .action(async ({ stack, exclusive }: Options) => {
    process.exitCode = await apply({ stack: pipelineStack(stack), isExclusive: exclusive === true });
  });

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  npm run pipeline -- ${line}`).join("\n")}`;
}

function command(name: string, description: string): Command {
  const stack = "the Pulumi stack; by default that of CHANGELINGS_STACK";
  return program.command(name).description(description).option("-s, --stack <name>", stack).exitOverride();
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // commander has already printed the error; 0 is --help.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    printNote(`error: ${withRemedy(messageOf(error))}\n`);
    process.exitCode = 1;
  }
}
