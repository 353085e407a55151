import { expect } from "vitest";
import type { Sandbox } from "../../components/sandbox/provider.ts";

/** Runs in a sandbox: starts a server, makes the calls, and prints their results. */
const client = `
  import { Client } from "/opt/tools/mcp/node_modules/@modelcontextprotocol/sdk/dist/esm/client/index.js";
  import { StdioClientTransport } from "/opt/tools/mcp/node_modules/@modelcontextprotocol/sdk/dist/esm/client/stdio.js";
  const [server, calls] = JSON.parse(process.argv.at(-1));
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(new StdioClientTransport({ ...server, env: { ...process.env, ...server.env } }));
  const results = [];
  for (const [name, args] of calls) results.push(await client.callTool({ name, arguments: args }));
  console.log(JSON.stringify(results));
  await client.close();
`;

/**
 * Calls tools of an MCP server in a sandbox, with the official client of the image's own packages.
 *
 * @returns the results as JSON
 */
export async function callMcp(
  on: Sandbox,
  server: unknown,
  calls: readonly (readonly [string, object])[],
): Promise<string> {
  const argv = ["node", "--input-type=module", "-e", client, "--", JSON.stringify([server, calls])];
  const { code, stdout, stderr } = await on.exec(argv, { timeoutSeconds: 60, cwd: "/workspace" });
  expect(code, stderr).toBe(0);
  expect(stdout.includes('"isError":true'), stdout).toBe(false);
  return stdout;
}
