import { AgentTypes, noCommand, typeDiagnostics } from "../../fleet/agents.ts";
import { type Diagnostic, error, type KeyPathOf } from "../../fleet/diagnostics.ts";
import type { SandboxOptions } from "../options.ts";
import type { MngrOptions } from "./options.ts";

/** mngr's built-in agent types. In a sandbox it reads no settings that define others. */
const types = new AgentTypes(undefined, new Map());

/** Whether agents of the type are Claude Code. */
export function isClaude(type: string): boolean {
  return types.base(type) === "claude";
}

/** @param place of an option in `runtime_config` */
export function agentDiagnostics({ agent_type: type, agent_args: args }: MngrOptions, place: KeyPathOf): Diagnostic[] {
  const knowledge = {
    ...{ types, templates: new Set<string>(), entrypoint: undefined },
    ...{ isComplete: true, settingsFile: "", ignoresRepoSettings: false },
  };
  const found = typeDiagnostics(type, knowledge, place, "a sandbox");
  if (found.length === 0 && !isClaude(type) && args.length === 0) found.push(noCommand(place));
  return found;
}

/** Rejects providers and isolations with which mngr can't run agents. */
export function placeDiagnostics(
  { runtime, provider, isolation }: Pick<SandboxOptions, "runtime" | "provider" | "isolation">,
  place: KeyPathOf,
): Diagnostic[] {
  if (runtime !== "mngr") return [];
  if (provider !== "local") {
    const message = `runtime = "mngr" is only for provider = "local": the image of other providers has no mngr, which needs Python 3.12`;
    return [
      { ...error(place("runtime"), message, 'write provider = "local", or another runtime'), reads: ["provider"] },
    ];
  }
  if (isolation !== "none") return [];
  const message = `runtime = "mngr" needs isolation = "sandbox": nothing else ends the terminals of its agents`;
  return [
    {
      ...error(place("runtime"), message, "remove the line isolation, or write another runtime"),
      reads: ["isolation"],
    },
  ];
}
