// @ts-check
/** The agent's log is its terminal: `mngr capture` shows it. @param {string} line */
export function log(line) {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}
