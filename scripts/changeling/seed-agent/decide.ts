import type { Command } from "commander";
import type { SeedClient } from "../../../components/seed-agent/client.ts";
import type { Change } from "../../../components/seed-agent/program/domain.ts";
import { examples } from "../options.ts";
import { seedContext } from "./agent-of.ts";
import { answerChange, follow } from "./wait.ts";

interface Decision {
  readonly description: string;
  /** The argument after the agent's name; undefined: none. */
  readonly of?: readonly [name: string, description: string, example: string];
  readonly decide: (client: SeedClient, id: string, reason: string | undefined) => Promise<Change>;
}

/** The commands with which a person decides about a change or a version. */
const decisions: Readonly<Record<string, Decision>> = {
  approve: {
    description: "activate a change that passed its checks and waits for approval",
    of: ["change", "its id: c3", "c3"],
    decide: (client, id, reason) => client.approve(id, reason),
  },
  reject: {
    description: "reject a change that is not active yet",
    of: ["change", "its id: c3", "c3"],
    decide: (client, id, reason) => client.reject(id, reason),
  },
  activate: {
    description: "activate an old version again, node by node",
    of: ["version", "its id: v2", "v2"],
    decide: (client, id, reason) => client.activate(id, reason),
  },
  rollback: {
    description: "activate the previous version again",
    decide: (client, _, reason) => client.rollBack(reason),
  },
};

export function addDecisions(seed: Command): void {
  for (const [verb, { description, of, decide }] of Object.entries(decisions)) {
    const command = seed.command(verb).argument("<name>", "the seed agent");
    if (of !== undefined) command.argument(`<${of[0]}>`, of[1]);
    command
      .option("--reason <text>", "why, for the audit log")
      .option("-w, --wait", "wait until it is active or ended, and print each step")
      .description(description)
      .addHelpText("after", examples(`seed ${verb} sprout${of === undefined ? "" : ` ${of[2]}`} --wait`))
      .action(async (name: string, ...rest: unknown[]) => {
        const id = of === undefined ? "" : String(rest[0]);
        const context = await seedContext(command, name);
        const options = command.opts<{ reason?: string; wait?: boolean }>();
        const change = await decide(context.client, id, options.reason);
        const ended = options.wait === true ? await follow(context, change) : change;
        answerChange(context, ended);
        // The user asked for it.
        if (verb === "reject" && ended.state === "rejected") process.exitCode = 0;
      });
  }
}
