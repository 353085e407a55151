/** Coding sandboxes for other people's Pulumi programs and runtimes: `import { … } from "changelings/sandbox"`. */

export { ChangelingOptionsError } from "../fleet/program-options.ts";
export type { DeclaredSandbox } from "./declared.ts";
export { type SandboxChangelingOptions, sandboxOf } from "./from-program.ts";
export type { ExecEnd, ExecOptions, Sandbox } from "./provider.ts";
export {
  type AgentRuntime,
  type ExecuteOptions,
  type RuntimeConfig,
  type RuntimeContext,
  RuntimeError,
  type RuntimeErrorCode,
  type RuntimeEvent,
  type RuntimeFactory,
} from "./runtimes/runtime.ts";
export { SandboxChangeling, type SandboxChangelingArgs } from "./sandbox-changeling.ts";
export { SessionService, type SessionServiceArgs } from "./sessions/session-service.ts";
export type { McpServer, SandboxSpec } from "./spec.ts";
