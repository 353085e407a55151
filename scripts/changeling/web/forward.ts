import { type Command, InvalidArgumentError } from "commander";
import { setTableKey } from "../../../components/fleet/edit.ts";
import { changelingCommand, upCommand } from "../../../components/lib/own-commands.ts";
import { forwardingServerType } from "../../../components/web/command-suffixes.ts";
import {
  forwardingLog,
  forwardingStatus,
  newLogin,
  untilText,
} from "../../../components/web/forwarding/server-client.ts";
import { deployedWeb } from "../../../components/web/inspect/list.ts";
import { answer, type Context, contextOf } from "../context.ts";
import { writeAndApply } from "../fleet-file/apply.ts";
import { plannedEdit, showEdit } from "../fleet-file/edit-fleet.ts";
import { examples } from "../options.ts";
import { openUrl } from "../terminal/open-url.ts";
import { table } from "../terminal/table.ts";

interface Options {
  readonly port?: number;
  readonly open?: boolean;
}

export function addForward(program: Command): void {
  program
    .command("forward")
    .option("--port <port>", "set its port in the fleet file and apply it", portNumber)
    .option("--open", "open the pages in this machine's browser, logged in")
    .description(
      "start the forwarding server if it is not running, and print a login URL for each web changeling; each works once",
    )
    .addHelpText(
      "after",
      `
The stack has one forwarding server, which \`pulumi up\` starts and a supervisor keeps running. This command starts it if it
is not running, and does not stay in the foreground.
${examples("forward", "forward --open", "forward --port 9000", "forward --json")}`,
    )
    .action(async (options: Options, command: Command) => {
      const context = contextOf(command);
      await ensureRunning(context, options.port);
      const records = deployedWeb(context);
      const logins = await Promise.all(
        records.map(async ({ name, agentId }) => ({ name, agentId, ...(await newLogin(context.paths, agentId)) })),
      );
      const status = await forwardingStatus(context.paths);
      const log = forwardingLog(context.paths);
      answer(context, { ...status, log, logins }, `${loginsText(logins)}\nThe forwarding server's log: ${log}`);
      if (options.open) for (const { name, url } of logins) await opened(context, name, url);
    });
}

async function ensureRunning(context: Context, port: number | undefined): Promise<void> {
  const isRunning = (await forwardingStatus(context.paths)) !== undefined;
  if (isRunning && port === undefined) return;
  const edit = await plannedEdit(context.stack, [], (text) =>
    port === undefined ? text : setTableKey(text, "forwarding", "port", port),
  );
  if (edit.fleet.changelings.every(({ kind }) => kind !== "web"))
    throw new Error(`the fleet file declares no web changeling; add one with: ${changelingCommand()} deploy`);
  showEdit(edit);
  await writeAndApply(
    context,
    edit,
    { names: [], shared: [forwardingServerType] },
    `the forwarding server could not be started, for the reason above; see: ${changelingCommand()} doctor`,
  );
}

function loginsText(logins: readonly { name: string; url: string; expiresAt: Date }[]): string {
  const [first] = logins;
  if (first === undefined) return `No web changeling is deployed yet; apply what is declared: ${upCommand()}`;
  const rows = table(
    ["NAME", "LOGIN URL"],
    logins.map(({ name, url }) => [name, url]),
  );
  return `${rows}\nEach works once, until ${untilText(first)}. Another: ${changelingCommand()} login-url NAME`;
}

async function opened({ paths }: Context, name: string, url: string): Promise<void> {
  if (await openUrl(paths.forwarding, name, url)) return;
  throw new Error("no browser could be opened here; open the URLs above");
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InvalidArgumentError("It must be from 1 to 65535.");
  return port;
}
