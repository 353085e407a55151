import type { SeedAgentSpec } from "../../components/seed-agent/spec.ts";
import { seedSpec } from "./seed-spec.ts";

/** Seed agents on the platforms that have a CLI. */
const spec = (changes: Partial<SeedAgentSpec>) =>
  seedSpec({ name: "seed-agent", secrets: ["DATABASE_URL", "CLAUDE_CODE_OAUTH_TOKEN"], ...changes });

export const onFly = (changes: Partial<SeedAgentSpec> = {}) =>
  spec({ fly: { app: "mira-seed", region: "sea" }, ...changes });

export const onKubernetes = (changes: Partial<SeedAgentSpec> = {}) =>
  spec({
    provider: "kubernetes",
    kubernetes: { namespace: "agents", image: "registry.example.org/seed-agent:1" },
    ...changes,
  });

/** Values that no output may contain. */
export const seedSecrets = {
  RELEASE_COOKIE: "cookie-that-is-secret-0123456789",
  SEED_CONTROL_TOKEN: "token-that-is-secret-0123456789",
  DATABASE_URL: "postgres://seed:password-that-is-secret@db.example.org:6432/seed",
  CLAUDE_CODE_OAUTH_TOKEN: "login-that-is-secret-0123456789",
};
