// An MCP server over stdio with one tool, `echo`, which also shows its variable TOKEN.
import { createInterface } from "node:readline";

const tool = {
  name: "echo",
  description: "Repeats a text.",
  inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result: answer(method, params) })}\n`);
}

/**
 * @param {string} method
 * @param {{ protocolVersion: string, arguments: { text: string } }} params
 */
function answer(method, params) {
  if (method === "initialize") {
    const { protocolVersion } = params;
    return { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "echo", version: "1.0.0" } };
  }
  if (method === "tools/list") return { tools: [tool] };
  if (method !== "tools/call") return {};
  return { content: [{ type: "text", text: `${params.arguments.text} from TOKEN=${process.env.TOKEN}` }] };
}
