import { text as readAll } from "node:stream/consumers";
import type { Command } from "commander";
import { messageOf } from "../../../components/lib/as-error.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printJsonLine, printNote } from "../../../components/lib/terminal.ts";
import type { SessionEvent } from "../../../components/sandbox/sessions/protocol.ts";
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
      if (!options.wait) {
        const message = await context.client.send(id, text);
        return answer(context, { session: id, message }, String(message));
      }
      const leaving = new AbortController();
      try {
        // Connected before the prompt is sent: the answer's first text does not wait for a connection.
        const events = begun(context.client.events(id, { from, signal: leaving.signal }));
        const message = await context.client.send(id, text);
        await follow(context, { session: id, message, events });
      } finally {
        leaving.abort();
      }
    });
}

/** Begins an iteration at once, before its first value is needed. An error is thrown by the iteration, as usual. */
function begun<Value>(values: AsyncIterable<Value>): AsyncIterable<Value> {
  const iterator = values[Symbol.asyncIterator]();
  const first = iterator.next();
  first.catch(() => {});
  return (async function* () {
    for (let next = await first; !next.done; next = await iterator.next()) yield next.value;
  })();
}

/** Prints a message's events until it is finished, and sets the exit code. */
async function follow(
  context: SandboxContext,
  {
    session,
    message,
    events,
  }: { readonly session: string; readonly message: number; readonly events: AsyncIterable<SessionEvent> },
): Promise<void> {
  const { client, json } = context;
  const printer = new EventPrinter({ showsMessages: false });
  let isCancelled = false;
  const cancel = () => {
    if (isCancelled) process.exit(130);
    isCancelled = true;
    printNote("\ncancelling the prompt; the sandbox goes on (Ctrl-C again to leave at once)\n");
    client.cancel(session, message).catch((error: unknown) => {
      printNote(`error: ${messageOf(error)}\n`);
      process.exit(1);
    });
  };
  process.on("SIGINT", cancel);
  try {
    for await (const event of events) {
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
