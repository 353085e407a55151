import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type AgentTypes, stockTypes, stockWebTypes } from "./agents.ts";
import { settleFindings } from "./checks.ts";
import { error, type Finding, type PlaceOf, warning } from "./diagnostics.ts";
import type { CronOptions, WebOptions } from "./options.ts";

const ownAlone = "on Modal your own settings count, not the repository's";

/** Which agent types and templates there are for a changeling. */
export interface AgentKnowledge {
  readonly types: AgentTypes;
  readonly templates: ReadonlySet<string>;
  /** The agent type that the repository's create template `entrypoint` names. */
  readonly entrypoint: string | undefined;
  /** False where settings that can't be read here may define more. */
  readonly isComplete: boolean;
  /** Where a template that is missing can be defined. */
  readonly settingsFile: string;
  /** True where the repository's settings don't count. */
  readonly isOwnAlone: boolean;
}

/** What can be said of a cron changeling's agent, once it is known which types and templates there are. */
export function cronAgentFindings(
  { type, options }: { readonly type: string; readonly options: CronOptions },
  knowledge: AgentKnowledge,
  place: PlaceOf,
): Finding[] {
  const { types, templates, isComplete, settingsFile, isOwnAlone } = knowledge;
  const report = isComplete ? error : warning;
  const found: Finding[] = [];
  if (!types.has(type) && stockWebTypes().has(type)) {
    found.push(error(place("agent_type"), `${shown(type)} is a stock web changeling`, 'write kind = "web"'));
  } else {
    found.push(...typeFindings(type, knowledge, place, "a scheduled run"));
  }
  if (type === "command" && options.agent_args.length === 0) found.push(noCommand(place));
  if (types.base(type) === "claude") found.push(...settleFindings(options, place));
  const { template } = options;
  if (template !== undefined && !templates.has(template)) {
    const meant = didYouMean(template, templates);
    const remedy =
      meant === undefined
        ? `define it below [create_templates] in ${settingsFile}, or remove the line`
        : `did you mean template = "${meant}"?`;
    const message = `mngr's settings have no create template ${shown(template)}`;
    found.push(report(place("template"), isOwnAlone ? `${message} (${ownAlone})` : message, remedy));
  }
  return found;
}

/**
 * What can be said of a web changeling's agent.
 * @param type undefined: the source says it
 */
export function webAgentFindings(
  { type, options }: { readonly type: string | undefined; readonly options: WebOptions },
  knowledge: AgentKnowledge,
  place: PlaceOf,
): Finding[] {
  if (type === undefined) return [];
  const found: Finding[] = [];
  const { source, agent_type: declared, agent_args: args } = options;
  if (!knowledge.types.has(type) && stockTypes().has(type)) {
    const message = `${shown(type)} is a stock changeling that a schedule fires`;
    found.push(error(place("agent_type"), message, 'write kind = "cron", or another agent_type'));
  } else if (declared === undefined && !knowledge.types.has(type) && knowledge.isComplete) {
    const message = `neither source nor agent_type is set, and mngr knows no agent type ${shown(type)}`;
    const remedy = `write source = "<path or URL>" or agent_type = "chat"; known here: ${knowledge.types.names().join(", ")}`;
    found.push(error(place("agent_type"), message, remedy));
  } else {
    found.push(...typeFindings(type, knowledge, place, "a persistent agent"));
  }
  // Of a cloned repo the create template may have it.
  if (type === "command" && args.length === 0 && source === undefined) found.push(noCommand(place));
  return found;
}

function typeFindings(
  type: string,
  { types, isComplete, isOwnAlone }: AgentKnowledge,
  place: PlaceOf,
  what: string,
): Finding[] {
  if (!types.has(type)) {
    const meant = didYouMean(type, types.names());
    const remedy =
      meant === undefined ? `known here: ${types.names().join(", ")}` : `did you mean agent_type = "${meant}"?`;
    const message = `mngr knows no agent type ${shown(type)}`;
    const report = isComplete ? error : warning;
    return [report(place("agent_type"), isOwnAlone ? `${message} (${ownAlone})` : message, remedy)];
  }
  const base = types.base(type);
  if (base?.startsWith("headless_") !== true) return [];
  const message = `${shown(type)} only runs in the foreground (mngr create --foreground), and ${what} has none`;
  return [error(place("agent_type"), message, `write agent_type = "${base.slice("headless_".length)}"`)];
}

function noCommand(place: PlaceOf): Finding {
  const remedy = 'write agent_args, for instance agent_args = ["make", "report"]';
  return { ...error(place("agent_type"), "a command agent needs its command", remedy), reads: ["agent_args"] };
}
