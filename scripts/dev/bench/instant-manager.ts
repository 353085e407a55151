import type { SandboxManager } from "../../../components/sandbox/manager.ts";
import type { RunningSandbox } from "../../../components/sandbox/running-sandbox.ts";

/** Makes sandboxes that are there at once, so that the session service itself is measured. */
export function instantManager(prompt: RunningSandbox["prompt"]): SandboxManager {
  const sandbox = (sandboxId: string): RunningSandbox => ({
    sandboxId,
    prompt,
    currentBranch: async () => "main",
    diff: async () => "",
    bundle: async () => "",
    snapshot: async () => "snapshot",
    terminate: async () => {},
  });
  return {
    start: async (_spec, { sessionId }) => sandbox(sessionId),
    reopen: async (_spec, { sessionId }) => sandbox(sessionId),
    snapshot: async () => "snapshot",
    capabilities: async () => ({
      ...{ isolation: "none", snapshots: true, volumes: true, egress: "none", broker: false, expires: false },
    }),
    warm: async () => ({ id: "snapshot" }),
    terminate: async () => {},
    removeSnapshot: async () => {},
  };
}
