import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { fromNow, shortTime } from "../../../components/lib/times.ts";
import { serverMetrics, serverSessions } from "../../../components/web/forwarding/server-client.ts";
import { deployedWeb } from "../../../components/web/inspect/list.ts";
import { answer, contextOf } from "../context.ts";
import { requireStack } from "../known-stack.ts";
import { examples } from "../options.ts";
import { table } from "../terminal/table.ts";
import { requireWeb } from "./require-web.ts";

/** `sessions` and `metrics`. */
export function addSessions(program: Command): void {
  program
    .command("sessions")
    .argument("[name]", "the web changeling; by default all")
    .description("list the logins: the browser of each, and when it was last seen")
    .addHelpText("after", examples("sessions", "sessions elena", "sessions --json"))
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const context = contextOf(command);
      if (name === undefined) await requireStack(context);
      const agentId = name === undefined ? undefined : (await requireWeb(context, name, "sessions")).agentId;
      const names = new Map(deployedWeb(context).map((record) => [record.agentId, record.name]));
      const found = (await serverSessions(context.paths))
        .filter(({ agent }) => agentId === undefined || agent === agentId)
        .map((session) => ({ name: names.get(session.agent) ?? session.agent, ...session }));
      const rows = found.map(({ name, session, since, lastSeen, address = "-", userAgent = "-" }) => [
        ...[name, session, since === undefined ? "-" : shortTime(new Date(since)), fromNow(new Date(lastSeen))],
        ...[address, userAgent].map(plain),
      ]);
      const text =
        rows.length === 0
          ? `Nobody is logged in${name === undefined ? "" : ` to ${name}`}.`
          : `${table(["NAME", "SESSION", "SINCE", "LAST SEEN", "ADDRESS", "BROWSER"], rows)}\nEnd the logins of one: ${changelingCommand()} revoke NAME`;
      answer(context, found, text);
    });
  program
    .command("metrics")
    .description("print the forwarding server's counts in Prometheus's text format")
    .addHelpText("after", examples("metrics > /var/lib/node_exporter/changelings.prom"))
    .action(async (_options: unknown, command: Command) => {
      const context = contextOf(command);
      await requireStack(context);
      const text = await serverMetrics(context.paths);
      answer(context, { text }, text.trimEnd());
    });
}

/** Sanitizes a browser's self-reported name. */
function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, " ").slice(0, 60);
}
