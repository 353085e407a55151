import { FakeCli, parseArguments, Refused, runFake } from "./fake-cli.ts";

/** A cluster, as far as the provider uses it. `test/journeys/seed-kubernetes.test.ts` compares it with a real API server. */
export interface FakeCluster {
  namespaces: string[];
  contexts: string[];
  /** Whether the user may do nothing. */
  forbidden: boolean;
  /** By `kind/name`, in lower case. */
  objects: Record<string, FakeObject>;
  /** Releases whose pods are not ready. */
  sick: string[];
  /** What they print before they crash. */
  crashLog: string;
  /** Fields of `kind/name` that another manager owns. */
  owned: Record<string, string>;
  made: number;
}
export interface FakeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    labels: Record<string, string>;
    annotations?: Record<string, string>;
    uid?: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: any object of Kubernetes
  [field: string]: any;
}

const release = "changelings.dev/release";

export class FakeKubectl extends FakeCli<FakeCluster> {
  constructor() {
    super(
      ...(["kubectl", import.meta.filename] as const),
      {
        ...{ namespaces: ["agents"], contexts: ["here"], forbidden: false },
        ...{ objects: {}, sick: [], crashLog: "Error: it does not start", owned: {}, made: 0 },
      },
      serve,
    );
  }
}

function serve(argv: readonly string[], state: FakeCluster, stdin: string): string {
  const { options, words } = parseArguments(argv, ["--server-side", "--ignore-not-found", "--previous", "--prefix"]);
  const namespace = options.get("--namespace") ?? "default";
  const [verb, ...rest] = words;
  const all = Object.values(state.objects).filter(({ metadata }) => metadata.namespace === namespace);
  switch (verb) {
    case "apply": {
      if (!state.namespaces.includes(namespace)) {
        throw new Refused(`Error from server (NotFound): namespaces "${namespace}" not found`);
      }
      const { items } = JSON.parse(stdin) as { items: FakeObject[] };
      for (const item of items) apply(item, state);
      return items.map((item) => `${keyOf(item)} serverside-applied\n`).join("");
    }
    case "get": {
      const [kinds = "", name] = rest;
      if (name !== undefined) {
        const found = state.objects[`${kinds}/${name}`];
        return found === undefined ? "" : json(found);
      }
      const selector = (options.get("--selector") ?? "").split(",").map((each) => each.split("="));
      const items = all.filter(
        ({ kind, metadata }) =>
          kinds.split(",").includes(kind.toLowerCase()) &&
          selector.every(([label = "", value]) => metadata.labels[label] === value),
      );
      return json({ apiVersion: "v1", kind: "List", items });
    }
    case "delete":
      for (const key of rest) remove(key, state, options.get("--cascade") === "orphan");
      return "";
    case "patch": {
      const found = state.objects[rest[0] ?? ""];
      const patch = JSON.parse(options.get("--patch") ?? "{}") as { spec: object };
      if (found === undefined) throw new Refused(`${rest[0]} not found`);
      Object.assign(found["spec"], patch.spec);
      return "";
    }
    case "rollout": {
      const set = state.objects[rest[1] ?? ""];
      if (set === undefined) throw new Refused("not found");
      if (isSick(set, state)) throw new Refused("error: timed out waiting for the condition");
      return "statefulset rolling update complete\n";
    }
    case "config":
      return state.contexts.map((context) => `${context}\n`).join("");
    case "auth":
      if (state.forbidden) throw new Refused("", 1, "no\n");
      return "yes\n";
    case "logs":
      return options.has("--previous") ? `${state.crashLog}\n` : "[pod/a] one\n[pod/a] two\n";
    default:
      throw new Refused(`unknown command "${verb}" for "kubectl"`);
  }
}

function apply(item: FakeObject, state: FakeCluster): void {
  const key = keyOf(item);
  const before = state.objects[key];
  const owner = state.owned[key];
  if (owner !== undefined) {
    throw new Refused(`Apply failed with 1 conflict: conflict with "${owner}" using apps/v1: .spec.replicas`);
  }
  if (before !== undefined && item.kind === "StatefulSet") {
    const fixed = (object: FakeObject) =>
      JSON.stringify([object["spec"].volumeClaimTemplates, object["spec"].selector, object["spec"].serviceName]);
    if (fixed(before) !== fixed(item)) throw new Refused("spec: Forbidden: updates to statefulset spec for fields");
  }
  state.objects[key] = { ...item, metadata: { ...item.metadata, uid: before?.metadata.uid ?? uid(state) } };
  if (item.kind === "StatefulSet") converge(item, state);
}

/** What the controllers do: claims for good, and pods of the template, of which the broken ones are made again. */
function converge(set: FakeObject, state: FakeCluster): void {
  const { replicas, template, volumeClaimTemplates } = set["spec"];
  const { namespace, name } = set.metadata;
  for (const key of Object.keys(state.objects)) {
    const ordinal = Number(new RegExp(`^pod/${name}-(\\d+)$`).exec(key)?.[1]);
    if (ordinal >= replicas) delete state.objects[key];
  }
  for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
    for (const claim of volumeClaimTemplates) {
      const own = { ...claim.metadata, namespace, name: `${claim.metadata.name}-${name}-${ordinal}` };
      state.objects[`persistentvolumeclaim/${own.name}`] ??= {
        ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: own, spec: structuredClone(claim.spec) },
      };
    }
    const key = `pod/${name}-${ordinal}`;
    const before = state.objects[key];
    const isSame = before !== undefined && JSON.stringify(before["spec"]) === JSON.stringify(template.spec);
    const isAnnotated = JSON.stringify(before?.metadata.annotations) === JSON.stringify(template.metadata.annotations);
    if (isSame && isAnnotated && isReady(before)) continue;
    const metadata = { ...template.metadata, namespace, name: `${name}-${ordinal}`, uid: uid(state) };
    const sick = isSick(set, state);
    state.objects[key] = {
      ...{ apiVersion: "v1", kind: "Pod", metadata, spec: template.spec },
      status: {
        phase: "Running",
        conditions: [{ type: "Ready", status: sick ? "False" : "True" }],
        containerStatuses: [{ state: sick ? { waiting: { reason: "CrashLoopBackOff" } } : { running: {} } }],
      },
    };
    // The controller goes on once a pod is ready.
    if (sick) return;
  }
}

function remove(key: string, state: FakeCluster, isOrphaning: boolean): void {
  const set = state.objects[key];
  delete state.objects[key];
  if (set?.kind !== "StatefulSet" || isOrphaning) return;
  for (const each of Object.keys(state.objects)) {
    if (each.startsWith(`pod/${set.metadata.name}-`)) delete state.objects[each];
  }
}

export function isReady(pod: FakeObject | undefined): boolean {
  return pod?.["status"].conditions[0].status === "True";
}

function isSick(set: FakeObject, state: FakeCluster): boolean {
  return state.sick.includes(set["spec"].template.metadata.annotations[release]);
}

function keyOf({ kind, metadata }: FakeObject): string {
  return `${kind.toLowerCase()}/${metadata.name}`;
}

function uid(state: FakeCluster): string {
  state.made += 1;
  return `uid-${state.made}`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

if (import.meta.main) runFake(serve);
