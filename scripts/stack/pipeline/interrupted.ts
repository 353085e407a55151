import * as z from "zod/mini";
import { problemOf, pulumi, type Stack } from "../stack.ts";

const exported = z.object({
  deployment: z.object({
    pending_operations: z.optional(z.array(z.object({ type: z.string(), resource: z.object({ urn: z.string() }) }))),
    resources: z.optional(z.array(z.object({ urn: z.string() }))),
  }),
});

/**
 * Repairs what an interrupted update left in the state, after a successful one. Interrupted updates and deletes are
 * simply repeated. An interrupted create stays in the state as pending, with a warning in each update, even after it
 * has been repeated: our creates adopt what exists.
 *
 * A pending create that is no longer declared was not repeated. The resource may be live and unknown to everyone, so it
 * stays pending and is reported.
 */
export async function repairInterrupted(stack: Stack): Promise<void> {
  const state = await pulumi(stack, ["stack", "export"], { capture: true });
  if (state.code !== 0) throw new Error(problemOf(state));
  const { pending_operations: pending = [], resources = [] } = exported.parse(JSON.parse(state.stdout)).deployment;
  const present = new Set(resources.map(({ urn }) => urn));
  const lost = pending.filter(({ type, resource }) => type === "creating" && !present.has(resource.urn));
  if (lost.length > 0) {
    const names = lost.map(({ resource }) => resource.urn.split("::").at(-1)).join(", ");
    process.stderr.write(
      `warning: an earlier update was killed while it created ${names}, which is no longer declared. It may be live ` +
        `without being in the state. Check with: npm run changeling -- doctor --stack ${stack.name}; then run: npm run ` +
        `pulumi -- refresh --stack ${stack.name} --clear-pending-creates\n`,
    );
    return;
  }
  // It does not query live resources (a Command can't be read). Unlike an edited export, it holds the stack's lock.
  const refresh = ["refresh", "--yes", "--skip-preview", "--non-interactive", "--clear-pending-creates"];
  const cleared = await pulumi(stack, refresh, { capture: true });
  if (cleared.code !== 0) throw new Error(problemOf(cleared));
  process.stdout.write("An earlier update was killed; its operations are now complete.\n");
}
