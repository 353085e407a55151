import type { Command } from "commander";
import { messageOf } from "../../../components/lib/as-error.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import type { EndedLogins } from "../../../components/stack/inspection.ts";
import { revokeLogins } from "../../../components/web/forwarding/server-client.ts";
import { answer, type Context, contextOf } from "../context.ts";
import { allKinds } from "../kinds.ts";
import { requireStack } from "../known-stack.ts";
import { examples } from "../options.ts";
import { requireWeb } from "./require-web.ts";

export function addRevoke(program: Command): void {
  program
    .command("revoke")
    .argument("[name]", "the web changeling whose logins end")
    .option("--all", "end all logins of every page, the page of the sandboxes' sessions too")
    .description("end logins: unused login URLs, and every browser that is logged in")
    .addHelpText("after", examples("revoke elena", "revoke --all"))
    .action(async (name: string | undefined, { all = false }: { all?: boolean }, command: Command) => {
      if ((name === undefined) !== all) command.error("error: give the name of a web changeling, or --all");
      const context = contextOf(command);
      if (name === undefined) {
        const ended = await endAllLogins(context);
        const warnings = ended.flatMap(({ warning }) => warning ?? []);
        const warning = warnings.length === 0 ? undefined : warnings.join("; ");
        warn(warning);
        const commands = ended.map(({ newLogins }) => newLogins).join(", or: ");
        return answer(context, { revoked: "all", warning }, `All logins are ended. New login URLs: ${commands}`);
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

/** @throws with the errors, after all other logins have ended; also if there is nothing to end */
async function endAllLogins(context: Context): Promise<readonly EndedLogins[]> {
  await requireStack(context);
  const results = await Promise.allSettled(
    allKinds.map(async (kind) => (await kind.inspection()).endLogins?.(context)),
  );
  const errors = results.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
  if (errors.length > 0) {
    throw new Error(errors.map((error) => messageOf(error)).join("\n"));
  }
  const ended = results.flatMap((each) => (each.status === "fulfilled" ? (each.value ?? []) : []));
  if (ended.length > 0) return ended;
  throw new Error("this stack has no page on this machine, so there are no logins to end");
}

/** The logins are revoked, but that may not be on disk yet. */
function warn(warning: string | undefined): void {
  if (warning !== undefined) printNote(`warning: ${warning}\n`);
}
