/**
 * The sandboxes' programs from npm, in parts that are installed separately, because each coding agent has 400 MB.
 * `tools/<part>/package-lock.json` pins all packages with their hashes.
 *
 * `mcp` differs from spec 004: `@anthropic-ai/mcp-server-playwright` and `@anthropic-ai/mcp-server-github` do not exist on
 * npm. `@playwright/mcp` (the spec's alternative) and `@modelcontextprotocol/server-github` replace them. GitHub's own server
 * is a Go program that is not on npm.
 */
export const toolParts = ["mcp", "claude", "codex"] as const;
export type ToolPart = (typeof toolParts)[number];

/** The parts of the local provider. mngr is a Python program that is installed on this machine, but not in the image. */
export const localParts = [...toolParts, "mngr"] as const;
export type LocalPart = (typeof localParts)[number];

/** The folder of the parts in a sandbox. */
export const toolsFolder = "/opt/tools";

/**
 * Programs that npm doesn't link in `.bin`, as file patterns in `node_modules`. Claude Code's own link points to a placeholder,
 * which its install script would replace by the program for this platform.
 */
export const toolLinks: Readonly<Record<ToolPart, Readonly<Record<string, string>>>> = {
  mcp: {},
  claude: { claude: "@anthropic-ai/claude-code-linux-*/claude" },
  codex: {},
};

/** The PATH of a sandbox with these parts. */
export function pathWith(parts: readonly string[]): string {
  const own = parts.map((part) => `${toolsFolder}/${part}/node_modules/.bin`);
  return [...own, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":");
}
