import type { Command } from "commander";
import { answer, contextOf } from "../context.ts";
import { applyEnabled } from "../fleet-file/apply-enabled.ts";
import { examples } from "../options.ts";

export function addPause(program: Command): void {
  for (const [verb, enabled, description] of [
    [
      "pause",
      false,
      "set a changeling's `enabled = false` in the fleet file and apply it: its schedule no longer fires",
    ],
    ["resume", true, "set a changeling's `enabled = true` in the fleet file and apply it"],
  ] as const) {
    program
      .command(verb)
      .argument("<name>", "the changeling")
      .description(`${description}; other changelings are not changed`)
      .addHelpText("after", examples(`${verb} fixme-fairy`, `${verb} fixme-fairy --json`))
      .action(async (name: string, _options: unknown, command: Command) => {
        const context = contextOf(command);
        const state = enabled ? "enabled" : "paused";
        await applyEnabled(context, {
          ...{ name, enabled, verb, state },
          // A changeling that was never applied may be the first that needs the resources shared on Modal.
          besides: (provider) => ({ modal: enabled && provider === "modal" }),
        });
        answer(context, { name, enabled }, `${name} is ${state}.`);
      });
  }
}
