import type { WebSpec } from "../../components/web/agent/spec.ts";

/** The spec of a web agent with minimal declarations. */
export function webSpecOf(more: Partial<WebSpec> = {}): WebSpec {
  return {
    name: "elena",
    provider: "local",
    enabled: true,
    branch: "main",
    addPaths: [],
    env: {},
    secrets: [],
    destroyData: false,
    memoryInGit: false,
    startTimeoutSeconds: 60,
    agentArgs: [],
    buildArgs: [],
    ...more,
  };
}
