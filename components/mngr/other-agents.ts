/** mngr's warning about agents whose type only their own repository defines. It appears in queries about any agent. */
const ofOtherAgents = /^WARNING: Agent \S+ has type '[^'\n]*' which is no longer registered; [^\n]*\n?/gm;

/** A log of mngr without warnings about other agents. */
export function withoutOtherAgents(log: string): string {
  return log.replace(ofOtherAgents, "");
}
