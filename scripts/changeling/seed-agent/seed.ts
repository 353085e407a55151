import { type Command, InvalidArgumentError, Option } from "commander";
import { changelingCommand } from "../../../components/lib/own-commands.ts";
import { plainWords } from "../../../components/lib/text.ts";
import { type ChangeState, changeStates } from "../../../components/seed-agent/program/domain.ts";
import { answer } from "../context.ts";
import { addSharedOptions, examples } from "../options.ts";
import { withProgress } from "../terminal/progress.ts";
import { colouredDiff } from "../terminal/unified-diff.ts";
import { seedContext } from "./agent-of.ts";
import { addDecisions } from "./decide.ts";
import { addCheckout, addSubmit } from "./submit.ts";
import { auditText, changesText, changeText, statusText, versionsText } from "./text.ts";
import { exitCodeOf, follow, outcomeText } from "./wait.ts";

/** `changeling seed …`: the changes and versions of seed agents. */
export function addSeed(program: Command): void {
  const seed = program.command("seed").description("work with seed agents: submit a change, approve it, roll back");
  for (const add of [
    ...[addStatus, addCheckout, addSubmit, addChanges, addShow, addDecisions, addVersions],
    ...[addPause, addImprove, addAudit, addOpen],
  ])
    add(seed);
  addSharedOptions(seed.commands);
  seed.addHelpText(
    "after",
    examples(
      "seed status sprout",
      "seed checkout sprout ./sprout",
      'seed submit sprout ./sprout --summary "Answer greetings" --wait',
      "seed approve sprout c1 --wait",
      "seed rollback sprout --wait",
    ),
  );
}

const agentArgument = ["<name>", "the seed agent"] as const;

function addStatus(seed: Command): void {
  seed
    .command("status")
    .argument(...agentArgument)
    .description("show what it runs, its nodes, its queue and its budget")
    .addHelpText("after", examples("seed status sprout", "seed status sprout --json"))
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = await seedContext(command, name);
      const status = await context.client.status();
      answer(context, status, plainWords(statusText(name, status)));
    });
}

function addChanges(seed: Command): void {
  seed
    .command("changes")
    .argument(...agentArgument)
    .addOption(new Option("--state <state>", "only those in this state").choices(changeStates))
    .option("-n, --limit <count>", "how many, the newest first", count, 20)
    .description("list changes and their states")
    .addHelpText("after", examples("seed changes sprout", "seed changes sprout --state waiting"))
    .action(async (name: string, filter: { state?: ChangeState; limit: number }, command: Command) => {
      const context = await seedContext(command, name);
      const changes = await context.client.changes(filter);
      const none = `No change. Submit one with: ${changelingCommand()} seed submit ${name} FOLDER --summary "…"`;
      answer(context, changes, changes.length === 0 ? none : changesText(changes));
    });
}

function addShow(seed: Command): void {
  seed
    .command("show")
    .argument(...agentArgument)
    .argument("<change>", "its id: c3")
    .option("-w, --wait", "first wait until it is active or ended, or waits for approval")
    .description("show a change: the results of its checks, and its diff")
    .addHelpText("after", examples("seed show sprout c3", "seed show sprout c3 --wait"))
    .action(async (name: string, id: string, options: { wait?: boolean }, command: Command) => {
      const context = await seedContext(command, name);
      const { client, json } = context;
      const found = await client.change(id);
      const change = options.wait === true ? await follow(context, found) : found;
      const diff = await client.diff(id);
      if (json) answer(context, { ...change, diff }, "");
      else {
        // Its parts have no control characters already. The colours are ours.
        const { stdout } = process;
        stdout.write(
          `${changeText(change, stdout)}\n${diff === "" ? "" : `\n${colouredDiff(diff.trimEnd(), stdout)}\n`}`,
        );
      }
      if (options.wait === true) process.exitCode = exitCodeOf(change);
    });
}

function addVersions(seed: Command): void {
  seed
    .command("versions")
    .argument(...agentArgument)
    .option("-n, --limit <count>", "how many, the newest first", count, 20)
    .description("list the versions of its code that are kept")
    .addHelpText("after", examples("seed versions sprout"))
    .action(async (name: string, { limit }: { limit: number }, command: Command) => {
      const context = await seedContext(command, name);
      const [versions, { active }] = await Promise.all([context.client.versions(limit), context.client.status()]);
      answer(context, { active, versions }, versionsText(versions, active));
    });
}

function addPause(seed: Command): void {
  const verbs = { pause: "activate no change until `seed resume`", resume: "activate changes again" } as const;
  for (const verb of ["pause", "resume"] as const) {
    seed
      .command(verb)
      .argument(...agentArgument)
      .description(verbs[verb])
      .addHelpText("after", examples(`seed ${verb} sprout`))
      .action(async (name: string, _options: unknown, command: Command) => {
        const context = await seedContext(command, name);
        const status = await context.client[verb]();
        const text = status.paused ? `${name} is paused: it activates nothing` : `${name} activates changes again`;
        answer(context, status, text);
      });
  }
}

function addImprove(seed: Command): void {
  seed
    .command("improve")
    .argument(...agentArgument)
    .option("--goal <text>", "what to improve, in place of its goal")
    .option("-w, --wait", "wait until the change is active or ended, or waits for approval")
    .description("have its model propose a change now, within its budget")
    .addHelpText("after", examples("seed improve sprout", 'seed improve sprout --goal "Answer /health faster" --wait'))
    .action(async (name: string, options: { goal?: string; wait?: boolean }, command: Command) => {
      const context = await seedContext(command, name);
      const end = context.client.improve(options.goal);
      const { outcome, reason, change } = await withProgress({ what: () => `the model of ${name} works`, end });
      const followed = change !== undefined && options.wait === true ? await follow(context, change) : change;
      const said = followed === undefined ? `${outcome}: ${reason}` : outcomeText(name, followed);
      answer(context, { outcome, reason, change: followed ?? null }, plainWords(said));
      const isWell = outcome === "submitted" || outcome === "nothing";
      process.exitCode = isWell ? (followed === undefined ? 0 : exitCodeOf(followed)) : 1;
    });
}

function addAudit(seed: Command): void {
  seed
    .command("audit")
    .argument(...agentArgument)
    .option("--change <id>", "only about this change")
    .option("--before <number>", "only entries before this number", count)
    .option("-n, --limit <count>", "how many, the newest first", count, 50)
    .description("list every decision: who, what, when and why")
    .addHelpText("after", examples("seed audit sprout", "seed audit sprout --change c3 --json"))
    .action(async (name: string, filter: { change?: string; before?: number; limit: number }, command: Command) => {
      const context = await seedContext(command, name);
      const entries = await context.client.audit(filter);
      answer(context, entries, entries.length === 0 ? "No entry." : auditText(entries));
    });
}

function addOpen(seed: Command): void {
  seed
    .command("open")
    .argument(...agentArgument)
    .description("print the URL of its endpoints; the agent itself is below /agent/")
    .addHelpText("after", examples("seed open sprout"))
    .action(async (name: string, _options: unknown, command: Command) => {
      const context = await seedContext(command, name);
      const { url, isTemporary } = context;
      if (isTemporary) {
        throw new Error(
          `${name} has no URL on this machine: the other commands connect to it themselves; for a lasting URL: kubectl port-forward service/${name} :http`,
        );
      }
      answer(context, { name, url, agent: `${url}/agent/`, api: `${url}/openapi.json` }, url);
    });
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000) throw new InvalidArgumentError("It must be 1 to 1000.");
  return value;
}
