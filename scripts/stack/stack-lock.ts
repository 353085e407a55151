import { keyOf } from "../setup/cache.mjs";
import { withLock } from "../setup/lock.mjs";
import { backendOf, type Stack } from "./stack.ts";

/**
 * Runs `work` while no other command of ours on this machine changes the stack. Pulumi's own lock makes the second `up`
 * fail, after the fleet file was edited for it.
 */
export function withStackLock<Result>(stack: Stack, work: () => Promise<Result>): Promise<Result> {
  const name = `stack-${keyOf({ texts: [backendOf(stack), stack.name] })}`;
  return withLock(name, work, { what: "another command that changes this stack" });
}
