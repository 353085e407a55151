/** Lines of a web changeling, the last of which has a fault; where and what it is; and its remedy. */
export type WebFault = readonly [lines: string, where: string, remedy: string];

/** A fleet file of a web changeling that is called chat, and what is told of it. */
export function webFault(...[lines, where, remedy]: WebFault): { text: string; told: string[] } {
  const text = `[changelings.chat]\nkind = "web"\n${lines}\n`;
  const line = 2 + lines.split("\n").length;
  // The default branch isn't written anywhere: its changeling is the place.
  const isWritten = /^[a-z_]+[:.[]/.test(where);
  const at = isWritten ? `config.toml:${line}: changelings.chat.` : "config.toml:1: changelings.chat: ";
  return { text, told: [`${at}${where}`, `→ ${remedy}`] };
}
