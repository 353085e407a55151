import type { Command } from "commander";
import { Option } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printText } from "../../../components/lib/terminal.ts";
import { fromNow } from "../../../components/lib/times.ts";
import { removeOrphans } from "../../../components/sandbox/orphans.ts";
import { guestUrl } from "../../../components/sandbox/page/url.ts";
import { sessionsFolder } from "../../../components/sandbox/sessions/folder.ts";
import type { SessionSummary, SessionView } from "../../../components/sandbox/sessions/protocol.ts";
import { roles } from "../../../components/sandbox/sessions/protocol.ts";
import { shownStatus } from "../../../components/sandbox/sessions/shown-status.ts";
import { answer } from "../context.ts";
import { requireStack } from "../known-stack.ts";
import { addSharedOptions, examples } from "../options.ts";
import { table } from "../terminal/table.ts";
import { addAttach } from "./attach.ts";
import { wholeNumber } from "./numbers.ts";
import { addOpen } from "./open.ts";
import { addPull } from "./pull.ts";
import { addSend } from "./send.ts";
import { personOption, requireSandbox, type SandboxContext, sandboxContext, sessionOf } from "./session-of.ts";
import { addStart } from "./start.ts";

/** `changeling sandbox …`: sessions in coding sandboxes. */
export function addSandbox(program: Command): void {
  const sandbox = program
    .command("sandbox")
    .description("work with coding sandboxes: start a session, send it prompts");
  for (const add of [
    addStart,
    addSend,
    addAttach,
    addOpen,
    addSessionList,
    addChanges,
    addDiff,
    addPull,
    addPeople,
    addClean,
  ])
    add(sandbox);
  addSharedOptions(sandbox.commands);
  sandbox.addHelpText(
    "after",
    examples("sandbox start example", 'sandbox send example "List files in repository"', "sandbox stop example"),
  );
}

const nameOrId = "the changeling (its newest session), or a session's id";

function addSessionList(sandbox: Command): void {
  sandbox
    .command("list")
    .argument("[name]", "the sandbox changeling; by default all")
    .option("-a, --all", "show terminated sessions too")
    .description("list the sessions, newest first")
    .addHelpText("after", examples("sandbox list", "sandbox list example --all --json"))
    .action(async (name: string | undefined, options: { all?: boolean }, command: Command) => {
      const context = sandboxContext(command);
      if (name !== undefined) await requireSandbox(context, name);
      const all = await context.client.list({ changeling: name });
      const shown = options.all === true ? all : all.filter(({ status }) => status !== "terminated");
      const none = `No session. Start one with: ${changelingCommand()} sandbox start ${name ?? "NAME"}`;
      answer(context, shown, shown.length === 0 ? none : sessionsText(shown));
    });
}

function sessionsText(sessions: readonly SessionSummary[], now = new Date()): string {
  return table(
    ["SESSION", "SANDBOX", "STATUS", "STARTED", "LAST ACTIVITY", "TITLE"],
    sessions.map((session) => {
      const { id, changeling, createdAt, updatedAt, title = "" } = session;
      const [started, active] = [createdAt, updatedAt].map((at) => fromNow(new Date(at), now));
      return [id, changeling, shownStatus(session), started ?? "", active ?? "", title];
    }),
  );
}

type Change = (context: SandboxContext, id: string) => Promise<{ readonly data: unknown; readonly text: string }>;

const statusText = ({ id, changeling, status, isAsleep }: SessionView) =>
  `session ${id} of ${changeling} is ${status}${isAsleep && status !== "terminated" ? "; its sandbox sleeps, and the next prompt wakes it up" : ""}`;

/** Commands that take only a session's name. */
const changes: Readonly<Record<string, { readonly description: string; readonly change: Change }>> = {
  show: {
    description: "show a session: its status, queue, people, limits and use",
    change: async ({ client }, id) => {
      const view = await client.show(id);
      return { data: view, text: viewText(view) };
    },
  },
  pause: {
    description: "let the current prompt finish, and execute no other until `sandbox resume`",
    change: async ({ client }, id) => viewed(await client.pause(id)),
  },
  resume: {
    description: "continue to execute prompts",
    change: async ({ client }, id) => viewed(await client.resume(id)),
  },
  snapshot: {
    description: "keep the sandbox's files: the session is restored from them if the sandbox is lost",
    change: async ({ client }, id) => {
      const snapshot = await client.snapshot(id);
      return { data: { session: id, snapshot }, text: snapshot };
    },
  },
  stop: {
    description: "end a session and its sandbox; the transcript and the repository's memory are kept",
    change: async ({ client }, id) => viewed(await client.stop(id)),
  },
  cancel: {
    description: "cancel the prompt that is being executed",
    change: async ({ client }, id) => {
      const cancelled = await client.cancel(id);
      return { data: { cancelled }, text: cancelled ? "cancelled" : "no prompt is being executed" };
    },
  },
};

function viewed(view: SessionView): { readonly data: SessionView; readonly text: string } {
  return { data: view, text: statusText(view) };
}

function viewText(view: SessionView): string {
  const { branch, queue, people, present, limits, used, messages } = view;
  const limited = (name: keyof typeof used, unit: string) =>
    `${Math.round(used[name] * 100) / 100}${limits[name] === undefined ? "" : ` of ${limits[name]}`} ${unit}`;
  return [
    statusText(view),
    `branch:   ${branch ?? "(starting)"}`,
    `used:     ${limited("messages", "messages")}, ${limited("minutes", "minutes")}, ${limited("costUsd", "US dollars")}`,
    `people:   ${people.map(({ name, role }) => `${name} (${role})`).join(", ") || "none"}; here now: ${present.join(", ") || "nobody"}`,
    `messages: ${messages}, of which ${queue.length} wait or are executed`,
    ...queue.map(
      ({ id, author, state, text }) => `  ${id} ${state} ${author}: ${text.replace(/\s+/g, " ").slice(0, 80)}`,
    ),
  ].join("\n");
}

function addChanges(sandbox: Command): void {
  for (const [verb, { description, change }] of Object.entries(changes)) {
    sandbox
      .command(verb)
      .argument("<name>", nameOrId)
      .addOption(personOption())
      .description(description)
      .addHelpText("after", examples(`sandbox ${verb} example`))
      .action(async (name: string, _options: unknown, command: Command) => {
        const context = sandboxContext(command);
        const { data, text } = await change(context, (await sessionOf(context, name)).id);
        answer(context, data, text);
      });
  }
  sandbox
    .command("retry")
    .argument("<name>", nameOrId)
    .argument("<message>", "the number of a message that failed, was cancelled or interrupted", wholeNumber)
    .addOption(personOption())
    .description("queue a message again")
    .addHelpText("after", examples("sandbox retry example 3"))
    .action(async (name: string, message: number, _options: unknown, command: Command) => {
      const context = sandboxContext(command);
      await context.client.retry((await sessionOf(context, name)).id, message);
      answer(context, { message, retried: true }, `message ${message} is queued again`);
    });
}

function addDiff(sandbox: Command): void {
  sandbox
    .command("diff")
    .argument("<name>", nameOrId)
    .description("print what the session has changed, committed or not")
    .addHelpText("after", examples("sandbox diff example", "sandbox diff example | git apply --check"))
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = sandboxContext(command);
      const diff = await context.client.diff((await sessionOf(context, name)).id);
      if (context.json) answer(context, { diff }, "");
      else printText(diff);
    });
}

function addPeople(sandbox: Command): void {
  sandbox
    .command("invite")
    .argument("<name>", nameOrId)
    .argument("<person>", "their name, as others see it")
    .addOption(new Option("--role <role>", "owner: may pause, stop and invite too").choices(roles).default("guest"))
    .addOption(personOption())
    .description("print a URL of a session's page for another person; it contains a token of their own")
    .addHelpText("after", examples("sandbox invite example Jonas", "sandbox invite example Jonas --json"))
    .action(async (name: string, person: string, { role }: { role: "owner" | "guest" }, command: Command) => {
      const context = sandboxContext(command);
      const { id } = await sessionOf(context, name);
      const token = await context.client.invite(id, { name: person, role });
      const url = guestUrl(sessionsFolder(context.paths), { session: id, token });
      answer(context, { session: id, person, role, token, url }, url);
    });
  sandbox
    .command("revoke")
    .argument("<name>", nameOrId)
    .argument("<person>", "whose token no longer counts")
    .addOption(personOption())
    .description("end a person's access to a session")
    .addHelpText("after", examples("sandbox revoke example Jonas"))
    .action(async (name: string, person: string, _options: unknown, command: Command) => {
      const context = sandboxContext(command);
      const { id } = await sessionOf(context, name);
      await context.client.revoke(id, person);
      answer(context, { session: id, person, revoked: true }, `${person} has no access to session ${id} any more`);
    });
}

function addClean(sandbox: Command): void {
  sandbox
    .command("clean")
    .description("end the sandboxes that no session has; `changeling doctor` finds them")
    .addHelpText("after", examples("sandbox clean"))
    .action(async (_options: unknown, command: Command) => {
      const context = sandboxContext(command);
      await requireStack(context);
      const removed = await removeOrphans(context.installation, context.paths);
      answer(
        context,
        { removed },
        removed.length === 0 ? "There are none." : removed.map((id) => `ended ${id}`).join("\n"),
      );
    });
}
