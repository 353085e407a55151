import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { readSandbox } from "../../../components/sandbox/installed.ts";
import type { Limits, SessionView } from "../../../components/sandbox/sessions/protocol.ts";
import { answer } from "../context.ts";
import { examples } from "../options.ts";
import { positive } from "./numbers.ts";
import { personOption, requireSandbox, type SandboxContext, sandboxContext } from "./session-of.ts";
import { EventPrinter } from "./show-events.ts";

interface StartOptions {
  readonly branch?: string;
  readonly title?: string;
  readonly maxMessages?: number;
  readonly maxMinutes?: number;
  readonly maxCost?: number;
}

export function addStart(sandbox: Command): void {
  sandbox
    .command("start")
    .argument("<name>", "the sandbox changeling")
    .option("-b, --branch <branch>", "the branch to check out, instead of the declared one")
    .option("--title <text>", "what the session is for")
    .option("--max-messages <count>", "the most prompts that it executes", positive)
    .option("--max-minutes <minutes>", "the most minutes that its prompts take together", positive)
    .option("--max-cost <usd>", "the most US dollars that its prompts cost together (Claude Code only)", positive)
    .addOption(personOption())
    .description("start a session: a fresh sandbox with the repository, its memory and the agent")
    .addHelpText(
      "after",
      examples(
        "sandbox start example",
        "sandbox start example --branch develop --max-cost 5",
        "sandbox start example --json",
      ),
    )
    .action(async (name: string, options: StartOptions, command: Command) => {
      const context = sandboxContext(command);
      await requireSandbox(context, name);
      if (options.maxCost !== undefined) await requireCosts(context, name);
      const { branch, title } = options;
      const created = await context.client.create({ changeling: name, branch, title, limits: limitsOf(options) });
      const session = await whenReady(context, created);
      const cli = changelingCommand();
      answer(
        context,
        session,
        `session ${session.id} of ${name} is ready on branch ${session.branch}
send it a prompt:  ${cli} sandbox send ${name} "List files in repository"
follow it:         ${cli} sandbox attach ${name}
end it:            ${cli} sandbox stop ${name}`,
      );
    });
}

/** @throws if the changeling's runtime does not report its cost: the limit would never be reached */
async function requireCosts({ paths }: SandboxContext, name: string): Promise<void> {
  const runtime = readSandbox(paths, name)?.spec.runtime;
  const { reportsCost } = await import("../../../components/sandbox/runtimes/registry.ts");
  if (runtime === undefined || reportsCost(runtime)) return;
  throw new Error(
    `the runtime ${runtime} does not report what its prompts cost, so --max-cost would limit nothing; use --max-minutes or --max-messages`,
  );
}

function limitsOf({ maxMessages, maxMinutes, maxCost }: StartOptions): Limits {
  return { messages: maxMessages, minutes: maxMinutes, costUsd: maxCost };
}

/** Waits until the sandbox has started, and prints its progress. @throws with the step that failed */
async function whenReady({ client, json }: SandboxContext, { id, changeling }: SessionView): Promise<SessionView> {
  const printer = new EventPrinter({ showsMessages: false });
  let isCancelled = false;
  const cancel = () => {
    if (isCancelled) process.exit(130);
    isCancelled = true;
    printNote("\nstopping the session (Ctrl-C again to leave at once)\n");
    client.stop(id).catch(() => process.exit(130));
  };
  process.on("SIGINT", cancel);
  try {
    for await (const event of client.events(id)) {
      if (event.type === "ready") return await client.show(id);
      if (event.type === "status" && event.status === "terminated") {
        if (isCancelled) process.exit(130);
        throw new Error(`the sandbox of ${changeling} did not start: ${event.reason ?? "for an unknown reason"}`);
      }
      if (!json) printer.print(event);
    }
  } finally {
    process.off("SIGINT", cancel);
  }
  return client.show(id);
}
