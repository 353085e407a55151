/** The suffixes of a changeling's Commands, for all kinds and providers: `<name>-<suffix>`. */
export const commandSuffixes = ["agent", "agent-docker", "agent-modal", "app", "job", "secret", "secrets"] as const;

export type CommandSuffix = (typeof commandSuffixes)[number];
