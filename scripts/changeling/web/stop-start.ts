import type { Command } from "commander";
import { forwardingServerType } from "../../../components/web/command-suffixes.ts";
import { appliedText, appliedWeb } from "../../../components/web/inspect/applied.ts";
import { answer, contextOf } from "../context.ts";
import { applyEnabled } from "../fleet-file/apply-enabled.ts";
import { examples } from "../options.ts";

export function addStopStart(program: Command): void {
  for (const [verb, enabled, description] of [
    ["stop", false, "set `enabled = false` for a web changeling in the fleet file and apply it: its agent is stopped"],
    ["start", true, "set `enabled = true` for a web changeling in the fleet file and apply it: its agent runs again"],
  ] as const) {
    program
      .command(verb)
      .argument("<name>", "the web changeling")
      .description(description)
      .addHelpText(
        "after",
        `\nIts repository, data and logins are kept. Nothing else in the stack is applied.\n${examples(`${verb} elena`, `${verb} elena --json`)}`,
      )
      .action(async (name: string, _options: unknown, command: Command) => {
        const context = contextOf(command);
        await applyEnabled(context, {
          ...{ name, enabled, verb, state: enabled ? "enabled" : "stopped" },
          besides: (provider) => ({ shared: [forwardingServerType], modal: provider === "modal" }),
        });
        const result = await appliedWeb(context, name);
        answer(context, result, appliedText(result));
      });
  }
}
