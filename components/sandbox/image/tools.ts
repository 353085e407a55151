/**
 * The programs from npm in a sandbox, in parts that are installed separately: each of the coding agents is 400 MB. The
 * exact versions of all packages are in `tools/<part>/package-lock.json`, with their hashes.
 *
 * `mcp`, where it differs from spec 004: `@anthropic-ai/mcp-server-playwright` and `@anthropic-ai/mcp-server-github` do
 * not exist on npm, so `@playwright/mcp` (the spec's own alternative) and `@modelcontextprotocol/server-github` take
 * their places. GitHub's own server is a Go program that is not on npm.
 */
export const toolParts = ["mcp", "claude", "codex"] as const;
export type ToolPart = (typeof toolParts)[number];

/** Those of the local provider: mngr is a Python program, which this machine has already. The image doesn't have it. */
export const localParts = [...toolParts, "mngr"] as const;
export type LocalPart = (typeof localParts)[number];

/** Where the parts are in a sandbox, each in a folder of its name. */
export const toolsFolder = "/opt/tools";

/**
 * Programs that npm's links don't reach, as file patterns in `node_modules`. Claude Code's own link leads to a
 * placeholder, which its install script would replace by the program for this platform.
 */
export const toolLinks: Readonly<Record<ToolPart, Readonly<Record<string, string>>>> = {
  mcp: {},
  claude: { claude: "@anthropic-ai/claude-code-linux-*/claude" },
  codex: {},
};

/** The PATH of a sandbox that has these parts. */
export function pathWith(parts: readonly string[]): string {
  const own = parts.map((part) => `${toolsFolder}/${part}/node_modules/.bin`);
  return [...own, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":");
}
