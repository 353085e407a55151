import { firstVersion } from "../../../components/seed-agent/program/hot-reload/index.ts";

/** A model's answer to the prompt for an improvement: v0's own `handle.ts` with one path more, and a test of it. */
export async function teaAnswer(more: Readonly<Record<string, string>> = {}): Promise<string> {
  const before = (await firstVersion()).sources["handle.ts"] ?? "";
  const greeting = '  if (request.path === "/tea") return { status: 200, body: "Good day! Here is your tea.\\n" };\n';
  const files = {
    "handle.ts": before.replace("  return { status: 404", `${greeting}  return { status: 404`),
    "tea.test.ts":
      'import { assert, test } from "seed";\n\ntest("serves tea", async ({ handle }) => {\n' +
      '  assert.match((await handle({ path: "/tea" })).body, /^Good day!/);\n});\n',
    ...more,
  };
  const list = Object.entries(files).map(([path, content]) => ({ path, content }));
  return JSON.stringify({ summary: "Serve tea, as the goal asks for", answers: "same", files: list });
}
