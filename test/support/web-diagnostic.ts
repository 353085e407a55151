/** Lines of a web changeling, the last of which has an error; its location and message; and its remedy. */
export type WebProblem = readonly [lines: string, where: string, remedy: string];

/** A fleet file of a web changeling named chat, and the expected diagnostics. */
export function webProblem(...[lines, where, remedy]: WebProblem): { text: string; reported: string[] } {
  const text = `[changelings.chat]\nkind = "web"\n${lines}\n`;
  const line = 2 + lines.split("\n").length;
  // The default branch is in no line of the file, so its diagnostic points to the changeling.
  const isWritten = /^[a-z_]+[:.[]/.test(where);
  const at = isWritten ? `config.toml:${line}: changelings.chat.` : "config.toml:1: changelings.chat: ";
  return { text, reported: [`${at}${where}`, `→ ${remedy}`] };
}
