import type { CommandTable } from "../command-script.ts";

/** Keyed by the names in a stack's state, which never change. `scripts/command.ts` finds this file. */
export const commands = {
  "web-agent": () => import("./agent.command.ts"),
  "modal-web-agent": () => import("./modal/agent.command.ts"),
  "forwarding-server": () => import("./forwarding/server.command.ts"),
  "forwarding-image": () => import("./forwarding/docker/image.command.ts"),
} satisfies CommandTable;
