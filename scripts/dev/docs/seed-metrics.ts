import { listedMetrics } from "../../../components/seed-agent/program/events/metrics.ts";

/** The rows of the table of a seed agent's metrics: name, type, labels, unit, description. */
export function seedMetricRows(): string[][] {
  return listedMetrics().map(({ name, type, labels, description }) => [
    ...[`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(", ")],
    ...[name.endsWith("_seconds") ? "seconds" : "", description],
  ]);
}
