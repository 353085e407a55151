import type { Events, Exposition } from "../events.ts";
import type { Settings } from "../settings.ts";
import { jsonLog } from "./log.ts";
import { metricsRegistry } from "./metrics.ts";
import { redaction, secretsOf } from "./redaction.ts";
import { hotReloadSpan } from "./telemetry.ts";

export interface EventsOptions {
  readonly settings: Settings;
  readonly release: string;
  readonly node: string;
  readonly write?: (line: string) => void;
}

const providers = new Set(["claude", "codex"]);

/** Values of the label `action`. Other actions count as `other`, so that the label has few values. */
const actions = new Set([
  ...["submitted", "checked", "approved", "rejected", "activated", "rolled-back", "paused", "resumed", "proposed"],
  ...["budget", "failed", "set-aside", "fallback"],
]);

/** Opens the events of one service: metrics, OpenTelemetry, and JSON lines on stderr. */
export function openEvents({ settings, release, node, write = toStderr }: EventsOptions): Events & Exposition {
  const metrics = metricsRegistry();
  const redact = redaction(secretsOf(settings));
  const writeLine = jsonLog({ origin: { service: settings.SEED_NAME, node }, redact, write });
  const log: Events["log"] = (level, message, fields) => {
    metrics.increment("log_lines_total", { level });
    writeLine(level, message, fields);
  };
  return {
    hotReload(labels) {
      const { version, step } = labels;
      const began = performance.now();
      const endSpan = hotReloadSpan(labels, release);
      let isOver = false;
      log("info", "hot_reload.start", { version, step });
      return (outcome) => {
        if (isOver) return;
        isOver = true;
        const seconds = (performance.now() - began) / 1000;
        metrics.increment("hot_reload_total", { step, outcome: outcome.ok ? "success" : "error" });
        metrics.observe("hot_reload_duration_seconds", { step }, seconds);
        const safe = outcome.ok ? outcome : { ok: false as const, reason: redact(outcome.reason) };
        endSpan(safe, seconds);
        const fields = { version, step, seconds: Number(seconds.toFixed(3)) };
        if (safe.ok) log("info", "hot_reload.success", fields);
        else log("error", "hot_reload.error", { ...fields, reason: safe.reason });
      };
    },
    request({ outcome }, seconds) {
      metrics.increment("requests_total", { outcome });
      metrics.observe("request_duration_seconds", { outcome }, seconds);
    },
    missingApiKey(provider, detail) {
      metrics.increment("missing_api_key_total", { provider: providers.has(provider) ? provider : "other" });
      log("error", "missing_api_key", { provider, detail });
    },
    decision(actor, action) {
      const kind = actor.startsWith("model:") ? "model" : actor === "owner" ? "owner" : "system";
      metrics.increment("decisions_total", { actor: kind, action: actions.has(action) ? action : "other" });
    },
    gauge: (name, read) => metrics.gauge(name, read),
    log,
    exposition: () => metrics.exposition(),
  };
}

function toStderr(line: string): void {
  process.stderr.write(line);
}
