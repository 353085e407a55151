import type { Command } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { revokeLogins, rotateKey } from "../../../components/web/forwarding/server-client.ts";
import { answer, contextOf } from "../context.ts";
import { requireStack } from "../known-stack.ts";
import { examples } from "../options.ts";
import { requireWeb } from "./require-web.ts";

export function addRevoke(program: Command): void {
  program
    .command("revoke")
    .argument("[name]", "the web changeling whose logins end")
    .option("--all", "end all logins, by replacing the key that signs them")
    .description("end logins: unused login URLs, and every browser that is logged in")
    .addHelpText("after", examples("revoke elena", "revoke --all"))
    .action(async (name: string | undefined, { all = false }: { all?: boolean }, command: Command) => {
      if ((name === undefined) !== all) command.error("error: give the name of a web changeling, or --all");
      const context = contextOf(command);
      if (name === undefined) {
        await requireStack(context);
        const warning = await rotateKey(context.paths);
        warn(warning);
        return answer(
          context,
          { revoked: "all", warning },
          `All logins are ended. New login URLs: ${changelingCommand()} forward`,
        );
      }
      const { agentId } = await requireWeb(context, name, "revoke");
      const warning = await revokeLogins(context.paths, agentId);
      warn(warning);
      answer(
        context,
        { revoked: name, agentId, warning },
        `The logins of ${name} are ended. A new login URL: ${changelingCommand()} login-url ${name}`,
      );
    });
}

/** The logins are revoked, but that may not be on disk yet. */
function warn(warning: string | undefined): void {
  if (warning !== undefined) printNote(`warning: ${warning}\n`);
}
