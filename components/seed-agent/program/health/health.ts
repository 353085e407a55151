import type { DeepHealth, Health } from "../server/api.ts";

export interface HealthChecks {
  /** Without any input or output: it is asked every few seconds. */
  quick(): Health;
  /** Never rejects: what could not be checked is a check that failed. */
  deep(): Promise<DeepHealth>;
}
