/** What mngr says of agents whose type only their own repository defines, whichever agent it is asked about. */
const ofOtherAgents = /^WARNING: Agent \S+ has type '[^'\n]*' which is no longer registered; [^\n]*\n?/gm;

/** A log of mngr's without its warnings about other agents than the one that it is about. */
export function withoutOtherAgents(log: string): string {
  return log.replace(ofOtherAgents, "");
}
