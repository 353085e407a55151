import { plainWords } from "../../../../lib/text.ts";
import { type Registered, registeredServers, type ServerFiles } from "../../../agent/servers.ts";

/** What an agent reports about itself. */
export interface AgentOutput {
  readonly registered: Registered;
  /** The `index.html` in its data. */
  readonly page: string | undefined;
  /** Proves to its servers that a request comes from the forwarding server. */
  readonly secret: string | undefined;
  /** The last message by a user or the agent, as the agent reports it: one line, truncated. */
  readonly lastMessage: string | undefined;
}

/** In bytes. A longer page is not shown while its agent is offline. */
export const mostOfPage = 1_000_000;

/** In characters. Longer messages are truncated. */
const mostOfMessage = 200;

/** In mngr's folder of the agent, each with the number of bytes to read at its start. */
export const outputFiles = {
  secret: { file: "forwarding-secret", mostBytes: 200 },
  message: { file: "last-message", mostBytes: mostOfMessage * 4 },
} as const;

/** The texts of an agent's files; empty if a file does not exist. */
export interface OutputTexts {
  readonly registrations: ServerFiles;
  readonly secret: string;
  readonly message: string;
  readonly page: string;
}

export function outputFrom({ registrations, secret, message, page }: OutputTexts): AgentOutput {
  const [found] = /^[\w-]{22,128}(?=[\r\n]|$)/.exec(secret) ?? [];
  const shown = page.trimEnd();
  return {
    registered: registeredServers(registrations),
    secret: found,
    lastMessage: shortened(message),
    page: shown !== "" && shown.length <= mostOfPage ? shown : undefined,
  };
}

/** @returns undefined for an empty message */
function shortened(message: string): string | undefined {
  const characters = [...plainWords(message.replaceAll("\r", " ")).replace(/\s+/g, " ").trim()];
  if (characters.length === 0) return undefined;
  return characters.length <= mostOfMessage
    ? characters.join("")
    : `${characters.slice(0, mostOfMessage).join("").trimEnd()}…`;
}
