import * as z from "zod/mini";

/** What `pulumi preview --json` says of each resource; only what is read here. */
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

export type Action = "add" | "change" | "mend" | "remove";

/** One field that a person declared, before and after; undefined: not there. */
export interface FieldChange {
  readonly field: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** What the next `up` does to one changeling, or to the scheduler. */
export interface PlannedChange {
  readonly name: string;
  /** What of it: its job, its secrets, or the scheduler that fires all of them. */
  readonly part: "job" | "secrets" | "scheduler";
  readonly action: Action;
  readonly fields: readonly FieldChange[];
  /** Why a live thing is mended, in words. */
  readonly drift: string | undefined;
  readonly before: Timing | undefined;
  readonly after: Timing | undefined;
}

export interface Timing {
  readonly schedule: string;
  readonly when: string;
  readonly timezone: string;
  readonly enabled: boolean;
}

const actions: Record<string, Action> = { create: "add", update: "change", replace: "change", delete: "remove" };

/** The changes in a preview, in the order that the engine tells them; steps that change nothing are left out. */
export function plannedChanges(preview: PreviewJson): PlannedChange[] {
  return (preview.steps ?? []).flatMap((step) => {
    const action = actions[step.op];
    const resource = resourceOf(step.urn);
    if (action === undefined || resource === undefined) return [];
    const before = environmentOf(step.oldState);
    const after = environmentOf(step.newState);
    const drifted = action === "change" && before["DRIFT"] !== after["DRIFT"] ? after["DRIFT"] : undefined;
    const fields = action === "change" ? changedFields(before, after) : [];
    const isOnlyMended = drifted !== undefined && fields.length === 0;
    return [
      {
        name: after["NAME"] ?? before["NAME"] ?? resource.name,
        part: resource.part,
        action: isOnlyMended ? "mend" : action,
        fields,
        drift: drifted,
        before: action === "add" ? undefined : timingOf(before),
        after: action === "remove" ? undefined : timingOf(after),
      },
    ];
  });
}

/** Which part of the fleet a resource is, by its URN; undefined for components and for what is not ours. */
function resourceOf(urn: string): { name: string; part: PlannedChange["part"] } | undefined {
  const [, , type, name] = urn.split("::");
  if (!type?.endsWith("$command:local:Command") || name === undefined) return undefined;
  if (name === "scheduler") return { name, part: "scheduler" };
  const found = /^(.*)-(job|secrets)$/.exec(name);
  return found?.[1] === undefined ? undefined : { name: found[1], part: found[2] === "job" ? "job" : "secrets" };
}

function environmentOf(state: { inputs?: Record<string, unknown> | undefined } | undefined): Record<string, string> {
  const parsed = z.safeParse(z.record(z.string(), z.unknown()), state?.inputs?.["environment"] ?? {});
  if (!parsed.success) return {};
  // A secret's place holds an object in this JSON, never its value: told as what it is.
  const text = (value: unknown) => (typeof value === "string" ? value : "[secret]");
  return Object.fromEntries(Object.entries(parsed.data).map(([key, value]) => [key, text(value)]));
}

/** Told elsewhere: WHEN beside SCHEDULE, and DRIFT as the reason. */
const notFields = new Set(["DRIFT", "WHEN"]);

function changedFields(before: Record<string, string>, after: Record<string, string>): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => !notFields.has(name));
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ field: name.toLowerCase(), before: before[name], after: after[name] }));
}

function timingOf(environment: Record<string, string>): Timing | undefined {
  const { SCHEDULE: schedule, WHEN: when, TIMEZONE: timezone, ENABLED: enabled } = environment;
  if (schedule === undefined || when === undefined || timezone === undefined) return undefined;
  return { schedule, when, timezone, enabled: enabled === "yes" };
}
