import * as z from "zod/mini";
import { commandSuffixes } from "../../../components/command-suffixes.ts";
import { driftInWords } from "../../../components/lib/repairs.ts";
import { type FieldChange, fieldChanges } from "./fields.ts";
import { webSummary } from "./web.ts";

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

export type Action = "add" | "change" | "repair" | "remove";

/** What the next `up` does to one changeling, or to a resource that changelings share. */
export interface PlannedChange {
  readonly name: string;
  /**
   * Which part: what fires the changeling (its job on this machine, its app on Modal), a web changeling's agent, its
   * secrets, the scheduler that fires all jobs, the forwarding server in front of all agents, or another shared
   * resource.
   */
  readonly part: "job" | "agent" | "secrets" | "scheduler" | "forwarding" | "shared";
  /** What a shared resource is, in words; undefined if only its name is known. */
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

const actions: Record<string, Action> = { create: "add", update: "change", replace: "change", delete: "remove" };

/** The changes in a preview, in the engine's order; steps without changes are omitted. */
export function plannedChanges(preview: PreviewJson): PlannedChange[] {
  return (preview.steps ?? []).flatMap((step) => {
    const action = actions[step.op];
    const resource = resourceOf(step.urn);
    if (action === undefined || resource === undefined) return [];
    const before = environmentOf(step.oldState);
    const after = environmentOf(step.newState);
    const drifted =
      action === "change" && before["DRIFT"] !== after["DRIFT"]
        ? driftInWords(after["DRIFT"] ?? "") || undefined
        : undefined;
    const takenOver = action === "change" && commandOf(step.oldState) !== commandOf(step.newState);
    const reason = takenOver ? takenOverNote : drifted;
    const web = resource.part === "agent" ? webSummary(action, before, after, reason) : undefined;
    const notes = [...(web?.notes ?? []), ...(takenOver ? [takenOverNote] : [])];
    const fields = web?.fields ?? (action === "change" ? changedFields(before, after) : []);
    const isOnlyRepaired = drifted !== undefined && fields.length + notes.length === 0;
    const isOfChangeling = ["job", "agent", "secrets"].includes(resource.part);
    return [
      {
        name: (isOfChangeling ? (after["NAME"] ?? before["NAME"]) : undefined) ?? resource.name,
        part: resource.part,
        ...titleOf(resource, { ...before, ...after }),
        action: isOnlyRepaired ? "repair" : action,
        fields,
        drift: drifted,
        before: action === "add" ? undefined : timingOf(before),
        after: action === "remove" ? undefined : timingOf(after),
        ...(web === undefined && notes.length === 0 ? {} : { notes }),
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

const ofChangeling = new RegExp(`^(.*)-(${commandSuffixes.join("|")})$`);

/** The part of the fleet that a URN belongs to; undefined for components and for resources that are not ours. */
function resourceOf(urn: string): { name: string; part: PlannedChange["part"] } | undefined {
  const [, , types, name] = urn.split("::");
  const [type, parent] = types?.split("$").reverse() ?? [];
  if (type !== "command:local:Command" || name === undefined) return undefined;
  if (name === "scheduler") return { name, part: "scheduler" };
  if (parent === "changelings:web:ForwardingServer") {
    // The image that its container starts from shows as a field of the server itself.
    return name.endsWith("-image") ? undefined : { name, part: "forwarding" };
  }
  const [, changeling, suffix] = ofChangeling.exec(name) ?? [];
  const part = parent === undefined ? undefined : mainParts[parent];
  if (part === undefined || changeling === undefined) return { name, part: "shared" };
  return { name: changeling, part: suffix?.startsWith("secret") ? "secrets" : part };
}

/** The subject of a sentence; its verb follows. */
function titleOf(
  { name, part }: { name: string; part: PlannedChange["part"] },
  { REPO: repo, COMMIT: commit, BRANCH: branch }: Record<string, string>,
): { title?: string } {
  if (part !== "shared") return {};
  const of = repo === undefined ? "" : ` of ${repo}${branch === undefined ? "" : `, branch ${branch}`}`;
  if (name.startsWith("tarball-")) {
    return { title: `The code${of}${commit === undefined ? "" : ` at ${commit.slice(0, 10)}`}, for Modal,` };
  }
  if (name.startsWith("snapshot-")) return { title: `The snapshot${of}, on Modal,` };
  return name === "modal" ? { title: "What the stack's changelings on Modal share" } : {};
}

/** By component type: which part its main Command is. */
const mainParts: Readonly<Record<string, "job" | "agent">> = {
  "changelings:cron:CronChangeling": "job",
  "changelings:web:WebChangeling": "agent",
};

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
export function untoldFields({ fields }: PlannedChange): PlannedChange["fields"] {
  return fields.filter(({ field }) => !fieldsOfTiming.has(field));
}
