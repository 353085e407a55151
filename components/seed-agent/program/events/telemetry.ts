import { metrics, SpanStatusCode, trace } from "@opentelemetry/api";

type Outcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * Starts a span `hot_reload` with the events `hot_reload.start`, `hot_reload.success` or `hot_reload.error`, and
 * `hot_reload.duration`. Updates counters and a histogram of the same names. Does nothing without an OpenTelemetry SDK.
 * Meter and tracer are read at each call, because an SDK may be registered later.
 */
export function hotReloadSpan(
  attributes: { readonly version: string; readonly step: string },
  release: string,
): (outcome: Outcome, seconds: number) => void {
  const meter = metrics.getMeter("seed-agent", release);
  const span = trace.getTracer("seed-agent", release).startSpan("hot_reload", { attributes: { ...attributes } });
  const { step } = attributes;
  span.addEvent("hot_reload.start", { ...attributes });
  meter.createCounter("hot_reload.start").add(1, { step });
  return (outcome, seconds) => {
    const name = outcome.ok ? "hot_reload.success" : "hot_reload.error";
    span.addEvent(name, { ...attributes, ...(outcome.ok ? {} : { reason: outcome.reason }) });
    span.addEvent("hot_reload.duration", { ...attributes, seconds });
    if (!outcome.ok) span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.reason });
    span.end();
    meter.createCounter(name).add(1, { step });
    meter.createHistogram("hot_reload.duration", { unit: "s" }).record(seconds, { step });
  };
}
