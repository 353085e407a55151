import type { SandboxSpec } from "../../components/sandbox/spec.ts";

/** The spec of a sandbox of the repository `acme/site`, with some values of its own. */
export function sandboxSpec(own: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    name: "site",
    provider: "local",
    isolation: "sandbox",
    owner: "acme",
    repo: "site",
    url: "https://github.com/acme/site",
    branch: "main",
    runtime: "stub",
    runtimeConfig: {},
    mcpServers: {},
    timeoutSeconds: 3600,
    userName: "Ada",
    userEmail: "ada@example.org",
    secrets: [],
    env: {},
    ...own,
  };
}
