import { homedir } from "node:os";
import { type Command, Option } from "commander";
import { addChangeling, declaredNames } from "../../../components/fleet/edit-tables.ts";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { forwardingServerType } from "../../../components/web/command-suffixes.ts";
import { appliedText, appliedWeb } from "../../../components/web/inspect/applied.ts";
import { webProviders } from "../../../components/web/options.ts";
import { answer, type Context, contextOf } from "../context.ts";
import { writeAndApply } from "../fleet-file/apply.ts";
import { confirmed, type PlannedEdit, plannedEdit, showEdit } from "../fleet-file/edit-fleet.ts";
import { requireDeclared } from "../kinds.ts";
import { branchOption, examples, pathOption, yesOption } from "../options.ts";
import { type DeployOptions, declaredTable, freeName, nameOf } from "./declaration.ts";

interface Options extends DeployOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function addDeploy(program: Command): void {
  program
    .command("deploy")
    .argument("[git-url]", "the git repository that holds the agent's code: a URL, or a path")
    .option("-t, --agent-type <type>", "create it from scratch for an agent type, such as chat, elena-code or claude")
    .addOption(pathOption())
    .option("-n, --name <name>", "its name; by default that of the repository or the agent type")
    .addOption(new Option("-p, --provider <name>", "where it runs").choices(webProviders))
    .addOption(branchOption())
    .addOption(yesOption())
    .option("--dry-run", "show what would be written to the fleet file, and change nothing")
    .description("declare a web changeling in the fleet file, apply only that, and print its first login URL")
    .addHelpText(
      "after",
      `
The whole fleet file is checked before it is written: if it has an error, nothing changes. Then \`pulumi up\` runs only for
this changeling and the forwarding server; other edits of the file wait for the next \`pulumi up\`. If that fails, the
declaration stays in the file: correct the cause and run \`changeling update NAME\`, or undo the declaration with
\`changeling destroy NAME\`.
${examples(
  "deploy --agent-type chat",
  "deploy https://github.com/me/elena --name elena --branch main",
  "deploy --agent-type elena-code --add-path ~/notes:notes --yes",
  "deploy ~/src/elena --dry-run",
)}`,
    )
    .action(async (source: string | undefined, options: Options, command: Command) => {
      if (source === undefined && options.agentType === undefined) {
        command.error("error: give a git URL, or --agent-type TYPE to make one from scratch");
      }
      const context = contextOf(command);
      const { name, edit } = await planned(context, { ...options, source });
      if (options.dryRun) return answer(context, { name, file: edit.file, diff: edit.diff }, edit.diff);
      showEdit(edit);
      if (!(await confirmed(`Write this to ${edit.file} and apply it?`, command, options))) {
        printNote("Nothing was written.\n");
        process.exitCode = 1;
        return;
      }
      const { provider } = requireDeclared(edit.fleet, name, "update");
      await writeAndApply(
        context,
        edit,
        { names: [name], shared: [forwardingServerType], modal: provider === "modal" },
        `${name} is declared in ${edit.file}, but it could not be applied, for the reason above\n` +
          `try again with: ${changelingCommand()} update ${name}; undo it with: ${changelingCommand()} destroy ${name}`,
      );
      const result = await appliedWeb(context, name);
      answer(context, { ...result, file: edit.file }, appliedText(result));
    });
}

async function planned(context: Context, options: DeployOptions): Promise<{ name: string; edit: PlannedEdit }> {
  const table = declaredTable(options, { cwd: process.cwd(), home: homedir() });
  const name = options.name ?? nameOf(options);
  if (name === undefined) throw new Error("no name can be derived from that; give one with: --name NAME");
  const edit = await plannedEdit(context.stack, [name], (text) => {
    const taken = declaredNames(text);
    if (!taken.has(name)) return addChangeling(text, name, table);
    const free = freeName(name, taken);
    throw new Error(
      `${name} is already declared; apply it with: ${changelingCommand()} update ${name}, or add: --name ${free}`,
    );
  });
  return { name, edit };
}
