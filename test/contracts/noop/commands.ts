import type { CommandTable } from "../../../components/command-script.ts";

export const commands = { noop: () => import("./noop.command.ts") } satisfies CommandTable;
