/** The suffixes of a web changeling's Command, by provider: `<name>-<suffix>`. */
export const webCommandSuffixes = ["agent", "agent-docker", "agent-modal"] as const;

export type WebCommandSuffix = (typeof webCommandSuffixes)[number];

/** The type of the forwarding server's component, as in people's state. */
export const forwardingServerType = "changelings:web:ForwardingServer";
