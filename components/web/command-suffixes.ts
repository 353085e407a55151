/** The suffixes of a web changeling's Command, by provider: `<name>-<suffix>`. */
export const webCommandSuffixes = ["agent", "agent-docker", "agent-modal"] as const;

export type WebCommandSuffix = (typeof webCommandSuffixes)[number];
