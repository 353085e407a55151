/**
 * Reports what the service does to metrics, OpenTelemetry and the log. The names `hot_reload.start|success|error|duration`
 * are those of spec 003.
 */
export interface Events {
  /** A check, activation or rollback has begun. @returns a function to call once, with the outcome */
  hotReload(labels: {
    readonly version: string;
    readonly step: "check" | "activate" | "roll back";
  }): (outcome: { readonly ok: true } | { readonly ok: false; readonly reason: string }) => void;
  request(labels: { readonly version: string; readonly outcome: "ok" | "error" | "timeout" }, seconds: number): void;
  /** The model can't be called because a credential is missing (`missing_api_key`). */
  missingApiKey(provider: string, detail: string): void;
  decision(actor: string, action: string): void;
  /** @param read called each time the metrics are read */
  gauge(name: "queue_depth" | "cluster_size" | "active_version", read: () => number | Promise<number>): void;
  log(level: "info" | "warn" | "error", message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Exposition {
  /** @returns all metrics in Prometheus' text format */
  exposition(): Promise<{ readonly contentType: string; readonly body: string }>;
}
