import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { pageUrl } from "../../../components/sandbox/page/url.ts";
import { sessionsFolder } from "../../../components/sandbox/sessions/folder.ts";
import { answer } from "../context.ts";
import { examples } from "../options.ts";
import { openUrl } from "../terminal/open-url.ts";
import { personOption, sandboxContext, sessionOf } from "./session-of.ts";

/** `open` and `login-url`: the sessions' page. */
export function addOpen(sandbox: Command): void {
  const name = [
    "[name]",
    "the changeling (its newest session), or a session's id; by default the list of sessions",
  ] as const;
  sandbox
    .command("open")
    .argument(...name)
    .addOption(personOption())
    .description("open the page of a session in this machine's browser, logged in")
    .addHelpText("after", examples("sandbox open example", "sandbox open"))
    .action(async (given: string | undefined, _options: unknown, command: Command) => {
      const { context, session, url } = await loginOf(given, command);
      if (!(await openUrl(sessionsFolder(context.paths), "page", url))) {
        const other = `${changelingCommand()} sandbox login-url${given === undefined ? "" : ` ${given}`}`;
        throw new Error(`no browser could be opened here; print the URL with: ${other}`);
      }
      answer(context, { session, opened: true }, "Opened the page in the browser.");
    });
  sandbox
    .command("login-url")
    .argument(...name)
    .addOption(personOption())
    .description("print a URL that logs one browser in to the sessions' page; it works once, for 15 minutes")
    .addHelpText("after", examples("sandbox login-url example", "sandbox login-url example --as Mira"))
    .action(async (given: string | undefined, _options: unknown, command: Command) => {
      const { context, session, url } = await loginOf(given, command);
      answer(context, { session, url }, url);
    });
}

async function loginOf(given: string | undefined, command: Command) {
  const context = sandboxContext(command);
  const session = given === undefined ? undefined : (await sessionOf(context, given)).id;
  const url = pageUrl(sessionsFolder(context.paths), { session, person: context.person });
  return { context, session, url };
}
