import * as z from "zod/mini";
import type { Observed } from "../provider.ts";
import type { SeedAgentSpec } from "../spec.ts";
import type { ObjectMeta } from "./kubernetes-object.ts";
import { annotations, kubernetesOf, volumeSize } from "./names.ts";
import { environment } from "./pod-spec.ts";

/** The fields that are read of any object. The others are kept, because a rollback applies them again. */
export const anyObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z._default(z.string(), "default"),
    labels: z._default(z.record(z.string(), z.string()), {}),
    annotations: z._default(z.record(z.string(), z.string()), {}),
    deletionTimestamp: z.optional(z.string()),
  }),
});
export type LiveObject = z.output<typeof anyObject>;
export const objectList = z.object({ items: z.array(anyObject) });

const variable = z.looseObject({
  name: z.string(),
  value: z.optional(z.string()),
  valueFrom: z.optional(z.looseObject({})),
});
const claim = z.looseObject({
  spec: z.looseObject({
    storageClassName: z.optional(z.string()),
    resources: z.looseObject({ requests: z.looseObject({ storage: z.string() }) }),
  }),
});
const statefulSet = z.looseObject({
  spec: z.looseObject({
    replicas: z._default(z.number(), 1),
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(
          z.looseObject({ image: z._default(z.string(), ""), env: z._default(z.array(variable), []) }),
        ),
      }),
    }),
    volumeClaimTemplates: z._default(z.array(claim), []),
  }),
});

const containerState = z.looseObject({
  waiting: z.optional(z.looseObject({ reason: z.optional(z.string()), message: z.optional(z.string()) })),
  terminated: z.optional(z.looseObject({ reason: z.optional(z.string()), exitCode: z.optional(z.number()) })),
});
const pod = z.looseObject({
  status: z.optional(
    z.looseObject({
      phase: z.optional(z.string()),
      conditions: z.optional(
        z.array(
          z.looseObject({
            ...{ type: z.string(), status: z.string() },
            ...{ reason: z.optional(z.string()), message: z.optional(z.string()) },
          }),
        ),
      ),
      containerStatuses: z.optional(z.array(z.looseObject({ state: z.optional(containerState) }))),
    }),
  ),
});

/** The live state of a stateful set, as far as this project compares or changes it. */
export interface LiveStatefulSet {
  readonly release: string | undefined;
  readonly image: string;
  readonly replicas: number;
  readonly variables: z.output<typeof variable>[];
  /** The declared size and class of its volumes. */
  readonly storage: string | undefined;
  readonly storageClass: string | undefined;
}

export function readStatefulSet(object: LiveObject): LiveStatefulSet {
  const { spec } = statefulSet.parse(object);
  const [container] = spec.template.spec.containers;
  const [volume] = spec.volumeClaimTemplates;
  return {
    release: object.metadata.annotations[annotations.release],
    image: container?.image ?? "",
    replicas: spec.replicas,
    variables: container?.env ?? [],
    storage: volume?.spec.resources.requests.storage,
    storageClass: volume?.spec.storageClassName,
  };
}

/** @param objects a stateful set and its pods; undefined if there is none */
export function observed(objects: readonly LiveObject[]): Observed | undefined {
  const found = objects.find(({ kind }) => kind === "StatefulSet");
  if (found === undefined) return undefined;
  const live = readStatefulSet(found);
  return {
    release: live.release,
    nodes: objects.filter(({ kind }) => kind === "Pod").map(node),
    // The Service can be reached only from inside the cluster, or through an ingress of the user's.
    url: undefined,
    settings: liveSettings(live),
  };
}

/** A pod's readiness, and why it is not ready. */
export function node(object: LiveObject): Observed["nodes"][number] {
  const { status } = pod.parse(object);
  const id = object.metadata.name;
  if (object.metadata.deletionTimestamp !== undefined) return { id, healthy: false, problem: "it is being removed" };
  const conditions = status?.conditions ?? [];
  if (conditions.some(({ type, status }) => type === "Ready" && status === "True")) return { id, healthy: true };
  const states = (status?.containerStatuses ?? []).flatMap(({ state }) => [state?.waiting, state?.terminated]);
  const container = states.find((state) => state?.reason !== undefined && state.reason !== "ContainerCreating");
  const condition = conditions.find(({ type, status }) => type === "PodScheduled" && status === "False");
  const [reason, message] = [container ?? condition].map((why) => [why?.reason, why?.message])[0] ?? [];
  const words = [reason, message].filter((word) => typeof word === "string" && word !== "").join(": ");
  return { id, healthy: false, problem: words || `it is not ready (${status?.phase ?? "no status"})` };
}

function liveSettings({ image, replicas, storage, variables }: LiveStatefulSet): Record<string, string> {
  return {
    image: withoutDigest(image),
    replicas: String(replicas),
    ...(storage !== undefined && { volume: storage }),
    ...settingsOf(variables),
  };
}

/** What `liveSettings` returns if nobody changed anything. */
export function declaredSettings(spec: SeedAgentSpec): Record<string, string> {
  return {
    image: withoutDigest(kubernetesOf(spec).image),
    replicas: String(spec.replicas),
    volume: volumeSize(spec),
    ...settingsOf(z.array(variable).parse(environment(spec, []))),
  };
}

/** Without variables whose value is a field of the pod, or a secret, which may be unset on this machine. */
function settingsOf(variables: readonly z.output<typeof variable>[]): Record<string, string> {
  return Object.fromEntries(
    variables.flatMap(({ name, value, valueFrom }) => (valueFrom === undefined ? [[`env ${name}`, value ?? ""]] : [])),
  );
}

function withoutDigest(image: string): string {
  const [name = image] = image.split("@");
  return name;
}

/**
 * The object in a form that can be applied again: without the fields that only the API server writes.
 *
 * @param ownAnnotations the annotations that this project sets
 */
export function asApplied(
  object: LiveObject,
  ownAnnotations: readonly string[],
): LiveObject & { metadata: ObjectMeta } {
  const { status: _, ...rest } = object;
  const { name, namespace, labels, annotations: all } = object.metadata;
  const kept = Object.fromEntries(Object.entries(all).filter(([annotation]) => ownAnnotations.includes(annotation)));
  return { ...rest, metadata: { name, namespace, labels, annotations: kept } };
}
