import * as z from "zod/mini";
import { commandSuffixes, kinds } from "../../../components/kinds.ts";
import { type FieldChange, fieldChanges } from "../../../components/lib/field-changes.ts";
import { driftInWords } from "../../../components/lib/repairs.ts";
import { secretSuffixes } from "../../../components/secrets/command-suffixes.ts";
import type { Inspection, PlannedCommand, PlannedWords } from "../../../components/stack/inspection.ts";

/** `pulumi preview --json`: only the fields that are read here. */
export const previewJson = z.object({
  steps: z.optional(
    z.array(
      z.object({
        op: z.string(),
        urn: z.string(),
        oldState: z.optional(z.object({ inputs: z.optional(z.record(z.string(), z.unknown())) })),
        newState: z.optional(z.object({ inputs: z.optional(z.record(z.string(), z.unknown())) })),
      }),
    ),
  ),
  diagnostics: z.optional(z.array(z.object({ message: z.optional(z.string()), severity: z.optional(z.string()) }))),
});

export type PreviewJson = z.infer<typeof previewJson>;

export type Action = PlannedCommand["action"] | "repair";

/** What the next `up` does to one changeling, or to a resource that changelings share. */
export interface PlannedChange {
  readonly name: string;
  /**
   * Which part: "secrets", "shared" for what no kind knows, or as its kind calls it: "job" (what fires the changeling: its
   * job on this machine, its app on Modal), "agent", "scheduler", "forwarding", …
   */
  readonly part: string;
  /** What a resource that changelings share is, in words; undefined if it is not shared, or only its name is known. */
  readonly title?: string;
  readonly action: Action;
  readonly fields: readonly FieldChange[];
  /** Why a live resource is repaired, in words. */
  readonly drift: string | undefined;
  readonly before: Timing | undefined;
  readonly after: Timing | undefined;
  /** Effects besides the fields, each a plain sentence. */
  readonly notes?: readonly string[];
  /** The repository of its pinned commit, as its Command names it: a URL, or a portable path. */
  readonly pinnedFrom?: string | undefined;
}

export interface Timing {
  readonly schedule: string;
  readonly when: string;
  readonly timezone: string;
  readonly enabled: boolean;
}

export type PlannedChangeWithFires = PlannedChange & {
  readonly nextBefore: readonly Date[];
  readonly nextAfter: readonly Date[];
};

/** What the next `up` of a stack changes, or why that can't be determined. */
export interface Plan {
  readonly changes: readonly PlannedChangeWithFires[];
  /** If there is any, `changes` is incomplete. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

const actions: Record<string, PlannedCommand["action"]> = {
  create: "add",
  update: "change",
  replace: "change",
  delete: "remove",
};

/** By kind. */
export type Inspections = Readonly<Record<string, Pick<Inspection, "describe"> | undefined>>;

/** The inspections of the kinds that a preview changes something of. */
export async function inspectionsFor(preview: PreviewJson): Promise<Inspections> {
  const changed = (preview.steps ?? []).filter(({ op }) => actions[op] !== undefined);
  const used = new Set(changed.map(({ urn }) => commandIn(urn)?.kind));
  const loaded = Object.entries(kinds).map(async ([name, kind]) =>
    used.has(name) ? [[name, await kind.inspection()] as const] : [],
  );
  return Object.fromEntries((await Promise.all(loaded)).flat());
}

/** The changes in a preview, in the engine's order; steps without changes are omitted. */
export function plannedChanges(preview: PreviewJson, inspections: Inspections): PlannedChange[] {
  return (preview.steps ?? []).flatMap((step) => {
    const action = actions[step.op];
    const command = commandIn(step.urn);
    if (action === undefined || command === undefined) return [];
    const before = environmentOf(step.oldState);
    const after = environmentOf(step.newState);
    const drifted =
      action === "change" && before["DRIFT"] !== after["DRIFT"]
        ? driftInWords(after["DRIFT"] ?? "") || undefined
        : undefined;
    const takenOver = action === "change" && commandOf(step.oldState) !== commandOf(step.newState);
    const reason = takenOver ? takenOverNote : drifted;
    const words = wordsOf({ ...command, action, before, after, reason }, inspections[command.kind ?? ""]);
    if (words === undefined) return [];
    const notes = [...(words.notes ?? []), ...(takenOver ? [takenOverNote] : [])];
    const fields = words.fields ?? (action === "change" ? changedFields(before, after) : []);
    const isOnlyRepaired = drifted !== undefined && fields.length + notes.length === 0;
    const isOfChangeling = words.part !== "shared" && words.title === undefined;
    return [
      {
        name: isOfChangeling ? (after["NAME"] ?? before["NAME"] ?? changelingIn(command.name)) : command.name,
        part: words.part,
        ...(words.title === undefined ? {} : { title: words.title }),
        action: isOnlyRepaired ? "repair" : action,
        fields,
        drift: drifted,
        before: action === "add" ? undefined : timingOf(before),
        after: action === "remove" ? undefined : timingOf(after),
        ...(words.notes === undefined && notes.length === 0 ? {} : { notes }),
        pinnedFrom:
          after["COMMIT"] === undefined ? undefined : (after["TARBALL_OF"] ?? after["REPO"] ?? after["SOURCE"]),
      },
    ];
  });
}

const takenOverNote = "another release made it, and this one takes it over";

/** The command that the resource runs. */
function commandOf(state: { inputs?: Record<string, unknown> | undefined } | undefined): unknown {
  return state?.inputs?.["create"];
}

/** The Command that a URN is of; undefined for components and for resources that are not ours. */
function commandIn(
  urn: string,
): (Pick<PlannedCommand, "name" | "component"> & { kind: string | undefined }) | undefined {
  const [, , types, name] = urn.split("::");
  const [type, component = ""] = types?.split("$").reverse() ?? [];
  if (type !== "command:local:Command" || name === undefined) return undefined;
  const [, kind] = /^changelings:([^:]+):/.exec(component) ?? [];
  return { name, component, kind };
}

function wordsOf(command: PlannedCommand, of: Inspections[string]): PlannedWords | undefined {
  if (of === undefined) return { part: "shared", ...titleOf(command.name, { ...command.before, ...command.after }) };
  if (isOfSecrets.test(command.name)) return { part: "secrets" };
  return of.describe === undefined ? { part: suffix.exec(command.name)?.[1] ?? "shared" } : of.describe(command);
}

const isOfSecrets = new RegExp(`-(${secretSuffixes.join("|")})$`);
const suffix = new RegExp(`-(${commandSuffixes.join("|")})$`);

/** The changeling that a Command's name begins with. */
function changelingIn(name: string): string {
  return name.replace(suffix, "");
}

/** The subject of a sentence about what changelings of several kinds share; its verb follows. */
function titleOf(name: string, environment: Readonly<Record<string, string>>): { title?: string } {
  const { REPO: repo, COMMIT: commit, BRANCH: branch } = environment;
  const of = repo === undefined ? "" : ` of ${repo}${branch === undefined ? "" : `, branch ${branch}`}`;
  if (name.startsWith("tarball-")) {
    return { title: `The code${of}${commit === undefined ? "" : ` at ${commit.slice(0, 10)}`}, for Modal,` };
  }
  if (name.startsWith("snapshot-")) return { title: `The snapshot${of}, on Modal,` };
  return name === "modal" ? { title: "What the stack's changelings on Modal share" } : {};
}

function environmentOf(state: { inputs?: Record<string, unknown> | undefined } | undefined): Record<string, string> {
  const parsed = z.safeParse(z.record(z.string(), z.unknown()), state?.inputs?.["environment"] ?? {});
  if (!parsed.success) return {};
  // In this JSON, a secret is an object without its value, so show a placeholder.
  const text = (value: unknown) => (typeof value === "string" ? value : "[secret]");
  return Object.fromEntries(Object.entries(parsed.data).map(([key, value]) => [key, text(value)]));
}

/** Shown elsewhere (WHEN next to SCHEDULE, DRIFT as the reason), or useless to a person (a container's id). */
const notFields: ReadonlySet<string> = new Set(["CONTAINER", "DRIFT", "WHEN"]);

function changedFields(before: Record<string, string>, after: Record<string, string>): FieldChange[] {
  return fieldChanges(before, after).filter(({ field }) => !notFields.has(field.toUpperCase()));
}

function timingOf(environment: Record<string, string>): Timing | undefined {
  const { SCHEDULE: schedule, WHEN: when, TIMEZONE: timezone, ENABLED: enabled } = environment;
  if (schedule === undefined || when === undefined || timezone === undefined) return undefined;
  return { schedule, when, timezone, enabled: enabled === "yes" };
}

const fieldsOfTiming = new Set(["schedule", "timezone", "enabled"]);

/** The changed fields except when it fires, which is described in words. */
export function unreportedFields({ fields }: PlannedChange): PlannedChange["fields"] {
  return fields.filter(({ field }) => !fieldsOfTiming.has(field));
}
