import type { Command } from "commander";
import { upCommand } from "../../../components/lib/own-commands.ts";
import { openSeedAgent, type SeedClient } from "../../../components/seed-agent/client.ts";
import { connectTo } from "../../../components/seed-agent/connect.ts";
import { installedSeedAgents, readSeedAgent } from "../../../components/seed-agent/installed.ts";
import { type Context, contextOf } from "../context.ts";
import { kindOf, notDeployedText } from "../kinds.ts";
import { requireStack } from "../known-stack.ts";

/** The context of a command of `changeling seed`, with its agent. */
export interface SeedContext extends Context {
  readonly agent: string;
  readonly url: string;
  /** Whether the URL works only while this process runs. */
  readonly isTemporary: boolean;
  readonly client: SeedClient;
}

/** @throws with the remedy, if no seed agent of that name can be reached */
export async function seedContext(command: Command, name: string): Promise<SeedContext> {
  const context = contextOf(command);
  const names = installedSeedAgents(context.paths);
  if (!names.includes(name)) throw await missingAgent(context, name, names);
  const installed = readSeedAgent(context.paths, name);
  if (installed === undefined) throw await missingAgent(context, name, names);
  const { enabled, controlToken } = installed;
  if (!enabled) throw new Error(`${name} is disabled; set enabled = true in the fleet file, then: ${upCommand()}`);
  const { url } = await connectTo(installed);
  return {
    ...context,
    agent: name,
    url,
    isTemporary: installed.url === undefined,
    client: openSeedAgent({ url, token: controlToken }),
  };
}

async function missingAgent(context: Context, name: string, names: readonly string[]): Promise<Error> {
  const other = kindOf(context, name);
  if (other !== undefined) {
    const deployed = names.length === 0 ? "none is deployed" : `seed agents: ${names.join(", ")}`;
    return new Error(`${name} is a ${other.noun}, not a seed agent; ${deployed}`);
  }
  if (names.length > 0) return new Error(notDeployedText("seed agent", name, names));
  await requireStack(context);
  const declared = /^[a-z][a-z0-9-]*$/.test(name) ? name : "sprout";
  return new Error(
    `no seed agent is deployed on this stack; declare one ([changelings.${declared}] with kind = "seed-agent") and apply it: ${upCommand()}`,
  );
}
