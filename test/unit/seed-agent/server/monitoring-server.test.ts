import { expect, test } from "vitest";
import { monitoringServer } from "../../../../components/seed-agent/program/server/monitoring-server.ts";
import { seedParts } from "../../../support/seed-parts.ts";

test("serves health and metrics without a token", async () => {
  const app = monitoringServer(seedParts());
  for (const url of ["/health", "/health/deep", "/metrics"]) {
    expect((await app.inject({ url })).statusCode, url).toBeLessThan(204);
  }
});

test("has no other endpoint", async () => {
  const app = monitoringServer(seedParts());
  for (const url of ["/control/status", "/agent/", "/cluster/challenge", "/openapi.json", "/"]) {
    expect((await app.inject({ url })).statusCode, url).toBe(404);
  }
});
