import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { type StackState, stateOf } from "./state.ts";

const resources = z.object({
  outputs: z.record(
    z.string(),
    z.object({
      outputs: z.object({
        environment: z.optional(z.record(z.string(), z.unknown())),
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
    const { outputs } = resources.safeParse(read).data ?? { outputs: {} };
    const commands = Object.entries(outputs).map(([urn, each]) => ({
      urn,
      environment: each.outputs.environment ?? {},
      stdout: typeof each.outputs.stdout === "string" ? each.outputs.stdout : undefined,
    }));
    return stateOf(commands, stackName);
  } catch (error) {
    if (error instanceof Error && /unknown stack|no stack named/.test(error.message)) return undefined;
    throw error;
  }
}
