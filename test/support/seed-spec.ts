import type { SeedAgentSpec } from "../../components/seed-agent/spec.ts";

/** A seed agent with two nodes, for tests of providers. */
export function seedSpec(more: Partial<SeedAgentSpec> = {}): SeedAgentSpec {
  return {
    ...{ name: "sprout", provider: "docker", replicas: 2, port: 4000, mode: "propose", model: "claude" },
    ...{ goal: "Answer in fewer words.\n", probationSeconds: 60, changesPerDay: 5, usdPerDay: 5 },
    ...{ secrets: ["DATABASE_URL", "ANTHROPIC_API_KEY"], env: {}, volumeGb: 5 },
    ...more,
  } as const;
}
