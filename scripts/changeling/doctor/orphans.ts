import * as z from "zod/mini";
import type { Fleet } from "../../../components/kinds.ts";
import { inParallel, modalWidth } from "../../../components/lib/parallel.ts";
import { ModalError } from "../../../components/modal/modal-error.ts";
import type { StackOnModal } from "../../../components/modal/modal-observation.ts";
import { parseAppName, parseHomeVolumeName, stackPart } from "../../../components/modal/names.ts";
import { type Check, failed, ok, warning } from "../../../components/stack/check.ts";
import { pulumi, type Stack, shortNameOf } from "../../stack/stack.ts";
import { type Orphan, orphanEnvironments, orphansIn } from "./modal-orphans.ts";

/** Resources on Modal that are ours by name but declared by no known stack. */
export async function orphanChecks(
  stack: Stack,
  modal: StackOnModal,
  { fleet, snapshots }: { readonly fleet: Fleet | undefined; readonly snapshots: Promise<readonly string[]> },
): Promise<Check[]> {
  const { observed } = modal;
  const volumes = await otherEnvironments(modal);
  const [changelings, stacks] = await Promise.all([
    changelingsOf(stack, fleet),
    mentionsOthers(modal, volumes) ? knownStacks(stack) : [],
  ]);
  const declared = { stack: modal.stack, changelings, snapshots: new Set(await snapshots), stacks };
  const orphans = [...orphansIn(observed, declared), ...orphanEnvironments(volumes, declared)];
  if (orphans.length === 0) return [ok("orphans on Modal", "none")];
  return orphans.map(orphanCheck);
}

function orphanCheck({ what, detail, command, isOurs }: Orphan): Check {
  const remedy = `remove it with: ${command}`;
  if (isOurs) return failed(`orphan on Modal: ${what}`, `no changeling of this stack declares it: ${detail}`, remedy);
  return warning(
    `orphan on Modal: ${what}`,
    `belongs to no stack known here: ${detail}`,
    `if no other machine or pipeline needs it, ${remedy}`,
  );
}

/** Volumes of the user's other environments whose names have the same prefix as the stack's own. */
async function otherEnvironments({ client, observed }: StackOnModal): Promise<Map<string, string[]>> {
  const { environment, identity } = observed;
  if (identity === undefined) return new Map();
  const names = (await client.environments()).filter(
    (name) => name.startsWith(identity.prefix) && name !== environment,
  );
  const found = await inParallel(names, modalWidth, async (name) => [name, await volumesOf(client, name)] as const);
  return new Map(found);
}

async function volumesOf(client: StackOnModal["client"], environment: string): Promise<string[]> {
  try {
    return (await client.volumes(environment)).map(({ name }) => name);
  } catch (error) {
    // It was deleted meanwhile, or this token has no access to it.
    if (error instanceof ModalError && error.kind !== "unreachable") return [];
    throw error;
  }
}

/** Whether some resource can only be attributed with the list of all stacks. */
function mentionsOthers({ stack, observed }: StackOnModal, others: ReadonlyMap<string, readonly string[]>): boolean {
  const names = [...observed.apps.keys(), ...observed.secrets.keys(), ...observed.volumes.keys()];
  const parts = names.map((name) => parseAppName(name)?.stackPart ?? parseHomeVolumeName(name));
  const isOther = (part: string | undefined) => part !== undefined && part !== stackPart(stack);
  return parts.some(isOther) || [...others.values()].flat().some((name) => parseHomeVolumeName(name) !== undefined);
}

const outputs = z.object({ changelings: z.optional(z.record(z.string(), z.unknown())) });

/** What the fleet file declares, and what was applied last, because the next `up` removes the difference by itself. */
async function changelingsOf(stack: Stack, fleet: Fleet | undefined): Promise<ReadonlySet<string> | undefined> {
  if (fleet === undefined) return undefined;
  const { code, stdout } = await pulumi(stack, ["stack", "output", "--json"], { capture: true });
  const applied = code === 0 ? outputs.safeParse(JSON.parse(stdout)).data?.changelings : {};
  return new Set([...fleet.changelings.map(({ name }) => name), ...Object.keys(applied ?? {})]);
}

const stackList = z.array(z.object({ name: z.string() }));

/** The project's stacks in the stack's own backend, and in the backend that the user is logged in to. */
async function knownStacks(stack: Stack): Promise<string[] | undefined> {
  const backends: Stack[] = stack.backend === undefined ? [stack] : [stack, { name: stack.name }];
  const lists = await Promise.all(
    backends.map(async (each) => {
      const { code, stdout } = await pulumi(each, ["stack", "ls", "--json"], { capture: true });
      return code === 0 ? stackList.safeParse(JSON.parse(stdout)).data : undefined;
    }),
  );
  if (lists.some((list) => list === undefined)) return undefined;
  return lists.flatMap((list) => (list ?? []).map(({ name }) => shortNameOf({ name })));
}
