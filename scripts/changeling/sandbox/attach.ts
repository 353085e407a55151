import { createInterface } from "node:readline";
import type { Command } from "commander";
import { messageOf } from "../../../components/lib/as-error.ts";
import { printJsonLine, printNote } from "../../../components/lib/terminal.ts";
import { examples } from "../options.ts";
import { wholeNumber } from "./numbers.ts";
import { personOption, sandboxContext, sessionOf } from "./session-of.ts";
import { EventPrinter } from "./show-events.ts";

export function addAttach(sandbox: Command): void {
  sandbox
    .command("attach")
    .argument("<name>", "the changeling (its newest session), or a session's id")
    .option("--from <cursor>", "show only events after this cursor", wholeNumber, 0)
    .addOption(personOption())
    .description("show a session's transcript and follow it; each line that you type is sent as a prompt")
    .addHelpText(
      "after",
      `${examples("sandbox attach example", "sandbox attach example --json > events.jsonl")}

Ctrl-C cancels the prompt that is being executed; when there is none, it leaves, as Ctrl-D does. The session goes on.`,
    )
    .action(async (name: string, options: { from: number }, command: Command) => {
      const context = sandboxContext(command);
      const { client, json } = context;
      const { id } = await sessionOf(context, name);
      const leaving = new AbortController();
      const printer = new EventPrinter({ showsMessages: true });
      let executed = 0;
      const interrupt = () => {
        if (executed === 0) return leaving.abort();
        printNote("\ncancelling the prompt; the sandbox goes on\n");
        client.cancel(id, executed).catch(report);
      };
      process.on("SIGINT", interrupt);
      const isInteractive = process.stdin.isTTY === true && !json;
      const input = isInteractive ? createInterface({ input: process.stdin }) : undefined;
      // One after the other: lines that were pasted together keep their order.
      let sending = Promise.resolve();
      input?.on("line", (line) => {
        if (line.trim() !== "") sending = sending.then(async () => void (await client.send(id, line))).catch(report);
      });
      input?.on("SIGINT", interrupt);
      input?.on("close", () => leaving.abort());
      try {
        for await (const event of client.events(id, { from: options.from, signal: leaving.signal })) {
          if (event.type === "started") executed = event.message;
          if (event.type === "finished") executed = 0;
          if (json) printJsonLine(event);
          else printer.print(event);
        }
      } finally {
        process.off("SIGINT", interrupt);
        input?.close();
        await sending;
      }
    });
}

function report(error: unknown): void {
  printNote(`error: ${messageOf(error)}\n`);
}
