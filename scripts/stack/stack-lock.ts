import { keyOf } from "./setup/cache.mjs";
import { canLock, withLock } from "./setup/lock.mjs";
import { identityOfStack, type Stack } from "./stack.ts";

/**
 * Runs `work` while no other command of ours on this machine changes the stack. Pulumi's own lock makes the second `up`
 * fail, after the fleet file was edited for it. Only that lock remains with a cache that this user may only read.
 */
export function withStackLock<Result>(stack: Stack, work: () => Promise<Result>): Promise<Result> {
  if (!canLock()) return work();
  const { backend, project, stack: name } = identityOfStack(stack);
  const key = keyOf({ texts: [backend, project, name] });
  return withLock(`stack-${key}`, work, { what: "another command that changes this stack" });
}
