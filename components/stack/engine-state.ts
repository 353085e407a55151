import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { type CommandState, isCommand, type StackState, stateOf } from "./state.ts";

const resources = z.object({
  outputs: z.record(
    z.string(),
    z.object({
      outputs: z.object({
        // Another component may have an unrelated output of this name, which must not make the whole state unreadable.
        environment: z.catch(z.optional(z.record(z.string(), z.unknown())), undefined),
        stdout: z.optional(z.unknown()),
      }),
    }),
  ),
});

/**
 * Reads a stack's state through the engine that runs this program.
 *
 * @returns undefined if there is no such stack
 * @throws if the engine can't read it
 */
export async function stackState(
  stackName: string,
  invoke: (token: string, args: { stackName: string }) => Promise<unknown> = pulumi.runtime.invoke,
): Promise<StackState | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const read = await invoke("pulumi:pulumi:readStackResourceOutputs", { stackName });
      return stateOf(commandsIn(read), stackName);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (/unknown stack|no stack named/.test(error.message)) return undefined;
      if (!isHalfWritten.test(error.message) || attempt === mostAttempts) throw error;
      await sleep(retryMs);
    }
  }
}

/** The engine of this very `up` may be writing the state's file, which a backend in a folder truncates first. */
const isHalfWritten = /failed to load checkpoint: .*(EOF|unexpected end of JSON)/;
const mostAttempts = 40;
const retryMs = 50;

/** @param read the result of `readStackResourceOutputs`; any other value, as from a test's mock, has no Commands */
export function commandsIn(read: unknown): CommandState[] {
  return Object.entries(resources.safeParse(read).data?.outputs ?? {})
    .filter(([urn]) => isCommand(urn))
    .map(([urn, { outputs }]) => ({
      urn,
      environment: outputs.environment ?? {},
      stdout: typeof outputs.stdout === "string" ? outputs.stdout : undefined,
    }));
}
