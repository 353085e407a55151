/**
 * What the service reports about itself, once for metrics, OpenTelemetry and the log. Names are spec 003's:
 * `hot_reload.start|success|error|duration`.
 */
export interface Events {
  /** A change is being checked or activated. @returns call once with the outcome */
  hotReload(labels: {
    readonly version: string;
    readonly step: "check" | "activate" | "roll back";
  }): (outcome: { readonly ok: true } | { readonly ok: false; readonly reason: string }) => void;
  request(labels: { readonly version: string; readonly outcome: "ok" | "error" | "timeout" }, seconds: number): void;
  /** The model can't be called for lack of a credential (`missing_api_key`): a metric, a log line, a health detail. */
  missingApiKey(provider: string, detail: string): void;
  decision(actor: string, action: string): void;
  /** Gauges that are read when they are asked for. */
  gauge(name: "queue_depth" | "cluster_size" | "active_version", read: () => number | Promise<number>): void;
  log(level: "info" | "warn" | "error", message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Exposition {
  /** All metrics in Prometheus' text format. */
  exposition(): Promise<{ readonly contentType: string; readonly body: string }>;
}
