import { text as readAll } from "node:stream/consumers";
import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printJsonLine, printNote } from "../../../components/lib/terminal.ts";
import { answer } from "../context.ts";
import { examples } from "../options.ts";
import { personOption, type SandboxContext, sandboxContext, sessionOf } from "./session-of.ts";
import { EventPrinter, type Finished } from "./show-events.ts";

export function addSend(sandbox: Command): void {
  sandbox
    .command("send")
    .argument("<name>", "the changeling (its newest session), or a session's id")
    .argument("<prompt>", "the prompt; - reads it from stdin")
    .option("--no-wait", "print the message's number, and don't wait for the answer")
    .addOption(personOption())
    .description("send a prompt to a session, and print the answer as it arrives; Ctrl-C cancels the prompt")
    .addHelpText(
      "after",
      examples(
        'sandbox send example "List files in repository"',
        "sandbox send example - < prompt.md",
        'sandbox send example "Fix the tests" --json | jq -r \'select(.type == "text").text\'',
      ),
    )
    .action(async (name: string, prompt: string, options: { wait: boolean }, command: Command) => {
      const context = sandboxContext(command);
      const { id } = await sessionOf(context, name);
      const text = prompt === "-" ? await readAll(process.stdin) : prompt;
      if (text.trim() === "") throw new Error("the prompt is empty");
      const from = (await context.client.show(id)).cursor;
      const message = await context.client.send(id, text);
      if (!options.wait) return answer(context, { session: id, message }, String(message));
      await follow(context, { session: id, message, from });
    });
}

/** Prints a message's events until it is finished, and sets the exit code. */
async function follow(
  context: SandboxContext,
  { session, message, from }: { readonly session: string; readonly message: number; readonly from: number },
): Promise<void> {
  const { client, json } = context;
  const printer = new EventPrinter({ showsMessages: false });
  let isCancelled = false;
  const cancel = () => {
    if (isCancelled) process.exit(130);
    isCancelled = true;
    printNote("\ncancelling the prompt; the sandbox goes on (Ctrl-C again to leave at once)\n");
    client.cancel(session, message).catch((error: unknown) => {
      printNote(`error: ${error instanceof Error ? error.message : error}\n`);
      process.exit(1);
    });
  };
  process.on("SIGINT", cancel);
  try {
    for await (const event of client.events(session, { from })) {
      if ("message" in event && event.message !== message) continue;
      if (json) printJsonLine(event);
      else printer.print(event);
      if (event.type === "finished") return finish(session, event);
      if (event.type === "status" && event.status === "terminated") {
        process.exitCode = 1;
        return;
      }
      if (event.type === "status" && event.status === "paused" && !json)
        printNote(`the session is paused; the prompt waits for: ${changelingCommand()} sandbox resume ${session}\n`);
    }
  } finally {
    process.off("SIGINT", cancel);
  }
}

function finish(session: string, { state, message }: Finished): void {
  if (state === "done") return;
  process.exitCode = state === "cancelled" ? 130 : 1;
  if (state !== "cancelled") printNote(`try again with: ${changelingCommand()} sandbox retry ${session} ${message}\n`);
}
