import type { WebSpec } from "../../components/web/agent/spec.ts";

/** What a web agent is made of when as little as possible is declared. */
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
