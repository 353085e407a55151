/** Seed agents for other people's Pulumi programs: `import { … } from "changelings/seed-agent"`. */

export { ChangelingOptionsError } from "../fleet/program-options.ts";
export type { DeclaredSeedAgent } from "./declared.ts";
export { type SeedAgentChangelingOptions, seedAgentOf } from "./from-program.ts";
export type { SeedAgentProvider } from "./provider.ts";
export { SeedAgentChangeling, type SeedAgentChangelingArgs } from "./seed-agent-changeling.ts";
export type { SeedAgentSpec } from "./spec.ts";
