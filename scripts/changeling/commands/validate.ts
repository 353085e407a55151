import type { Command } from "commander";
import { formatDiagnostics } from "../../../components/fleet/diagnostics.ts";
import { answer, contextOf } from "../context.ts";
import { examples } from "../options.ts";
import { errorsOf, fleetOf } from "../stack-fleet.ts";

export function addValidate(program: Command): void {
  program
    .command("validate")
    .argument("[file]", "the fleet file; by default the stack's")
    .description("check a fleet file: report every error with its line and remedy, and change nothing")
    .addHelpText("after", examples("validate", "validate fleet.toml", "validate --json"))
    .action(async (file: string | undefined, _options: unknown, command: Command) => {
      const context = contextOf(command);
      const loaded = await fleetOf(context.stack, file === undefined ? {} : { file });
      const missing = loaded.missingSecrets;
      const isValid = errorsOf(loaded.diagnostics).length === 0;
      const count = loaded.fleet?.changelings.length ?? 0;
      const lines = loaded.diagnostics.length > 0 ? [formatDiagnostics(loaded.diagnostics)] : [];
      for (const { changeling, names } of missing)
        lines.push(`warning: ${changeling} needs ${names.join(" or ")}, not set here`);
      if (isValid) lines.push(`${loaded.file} is valid: ${count} changeling${count === 1 ? "" : "s"}.`);
      answer(
        context,
        { file: loaded.file, valid: isValid, diagnostics: loaded.diagnostics, missingSecrets: missing },
        lines.join("\n"),
      );
      if (!isValid) process.exitCode = 1;
    });
}
