import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { type CommandState, type StackState, stateOf } from "./state.ts";

const resources = z.object({
  outputs: z.record(
    z.string(),
    z.object({
      outputs: z.object({
        // A component may have an output of that name that is something else: the whole state must not be lost for it.
        environment: z.catch(z.optional(z.record(z.string(), z.unknown())), undefined),
        stdout: z.optional(z.unknown()),
      }),
    }),
  ),
});

/**
 * What a stack's state names, by the engine that runs this program.
 *
 * @returns undefined when there is no such stack
 * @throws when the engine can't read it
 */
export async function stackState(stackName: string): Promise<StackState | undefined> {
  try {
    const read: unknown = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", { stackName });
    return stateOf(commandsIn(read), stackName);
  } catch (error) {
    if (error instanceof Error && /unknown stack|no stack named/.test(error.message)) return undefined;
    throw error;
  }
}

/** @param read what `readStackResourceOutputs` answers; anything else, as a test's mock may, has no Commands */
export function commandsIn(read: unknown): CommandState[] {
  return Object.entries(resources.safeParse(read).data?.outputs ?? {}).map(([urn, { outputs }]) => ({
    urn,
    environment: outputs.environment ?? {},
    stdout: typeof outputs.stdout === "string" ? outputs.stdout : undefined,
  }));
}
