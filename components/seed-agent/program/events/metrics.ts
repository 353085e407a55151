import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { withTimeout } from "../with-timeout.ts";

/** The service's metrics. Its registry and the table in the guide are made from them. Each label has few values. */
export const ownMetrics = {
  queue_depth: {
    type: "gauge",
    description: "Changes that wait for a worker to check them or to roll them out.",
    labels: [],
  },
  cluster_size: { type: "gauge", description: "Nodes that reported lately, this one included.", labels: [] },
  active_version: { type: "gauge", description: "Number of the version that this node runs.", labels: [] },
  hot_reload_total: {
    ...{ type: "counter", description: "Checks, activations and rollbacks that ended." },
    labels: ["step", "outcome"],
  },
  hot_reload_duration_seconds: {
    ...{
      type: "histogram",
      description: "How long checks, activations and rollbacks took.",
      labels: ["step"],
    },
    buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300],
  },
  requests_total: { type: "counter", description: "Requests that the agent answered.", labels: ["outcome"] },
  request_duration_seconds: {
    ...{ type: "histogram", description: "How long the agent's answers took.", labels: ["outcome"] },
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  },
  missing_api_key_total: {
    ...{ type: "counter", description: "Calls of a model that failed because a credential is missing." },
    labels: ["provider"],
  },
  decisions_total: {
    ...{ type: "counter", description: "Decisions in the audit log." },
    labels: ["actor", "action"],
  },
  log_lines_total: { type: "counter", description: "Lines of the log.", labels: ["level"] },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly description: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

type Named<Type extends MetricDefinition["type"]> = {
  [Name in keyof typeof ownMetrics]: (typeof ownMetrics)[Name]["type"] extends Type ? Name : never;
}[keyof typeof ownMetrics];

export interface ListedMetric {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly labels: readonly string[];
}

const prefix = "seed_agent_";

const byName = (a: ListedMetric, b: ListedMetric) => (a.name < b.name ? -1 : 1);

/** The service's own metrics, sorted by name. */
export function listedMetrics(): readonly ListedMetric[] {
  return Object.entries(ownMetrics)
    .map(([name, { type, description, labels }]) => ({ name: `${prefix}${name}`, type, description, labels }))
    .sort(byName);
}

/** All metrics of `/metrics`: the service's own, then those of the process and of Node, each sorted by name. */
export async function metrics(): Promise<readonly ListedMetric[]> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const ofProcess = (await registry.getMetricsAsJSON()).map(({ name, help, type, values }) => ({
    ...{ name, type: String(type), description: help.replace(/\.?$/, ".") },
    labels: [...new Set(values.flatMap(({ labels }) => Object.keys(labels)))].filter((label) => label !== "le").sort(),
  }));
  return [...listedMetrics(), ...ofProcess.sort(byName)];
}

/** The metrics of one service; nothing is kept in prom-client's global registry. */
export function metricsRegistry(gaugeMilliseconds = 2000) {
  const registry = new Registry();
  // In ms. By default, the process would be woken up 100 times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  const reads = new Map<Named<"gauge">, () => number | Promise<number>>();
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  for (const [name, definition] of Object.entries(ownMetrics)) {
    const { type, description, labels } = definition;
    const options = { name: `${prefix}${name}`, help: description, labelNames: [...labels], registers: [registry] };
    if (type === "counter") counters.set(name, new Counter(options));
    else if (type === "histogram")
      histograms.set(name, new Histogram({ ...options, buckets: [...definition.buckets] }));
    else {
      const gauge: Gauge = new Gauge({
        ...options,
        // If one of these rejects, prom-client returns no metrics at all.
        collect: async () => gauge.set(await readGauge(reads.get(name as Named<"gauge">), gaugeMilliseconds)),
      });
    }
  }
  return {
    increment(name: Named<"counter">, labels: Readonly<Record<string, string>>): void {
      counters.get(name)?.inc({ ...labels });
    },
    observe(name: Named<"histogram">, labels: Readonly<Record<string, string>>, seconds: number): void {
      histograms.get(name)?.observe({ ...labels }, seconds);
    },
    gauge(name: Named<"gauge">, read: () => number | Promise<number>): void {
      reads.set(name, read);
    },
    async exposition() {
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

/** @returns NaN, Prometheus' value for unknown, if it can't be read in time */
async function readGauge(read: (() => number | Promise<number>) | undefined, milliseconds: number): Promise<number> {
  if (read === undefined) return Number.NaN;
  try {
    return await withTimeout(Promise.resolve(read()), milliseconds, () => new Error("too slow"));
  } catch {
    return Number.NaN;
  }
}
