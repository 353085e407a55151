import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { newLogin, untilText } from "../../../components/web/forwarding/server-client.ts";
import { answer, contextOf } from "../context.ts";
import { examples } from "../options.ts";
import { openUrl } from "../terminal/open-url.ts";
import { requireWeb } from "./require-web.ts";

/** `login-url` and `open`. */
export function addLoginUrl(program: Command): void {
  program
    .command("login-url")
    .argument("<name>", "the web changeling")
    .description("print a login URL for one more browser; it works once")
    .addHelpText("after", examples("login-url elena", "login-url elena | qrencode -t utf8", "login-url elena --json"))
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = contextOf(command);
      const { agentId } = await requireWeb(context, name, "login-url");
      const login = await newLogin(context.paths, agentId);
      answer(context, { name, agentId, url: login.url, expiresAt: login.expiresAt }, login.url);
      if (!context.json) printNote(`It works once, until ${untilText(login)}.\n`);
    });
  program
    .command("open")
    .argument("<name>", "the web changeling")
    .description("open its page in this machine's browser, logged in")
    .addHelpText("after", examples("open elena"))
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = contextOf(command);
      const { agentId } = await requireWeb(context, name, "open");
      const { url } = await newLogin(context.paths, agentId);
      if (!(await openUrl(context.paths.forwarding, name, url))) {
        throw new Error(
          `no browser could be opened here; print the URL with: ${changelingCommand()} login-url ${name}`,
        );
      }
      answer(context, { name, agentId, opened: true }, `Opened ${name} in the browser.`);
    });
}
