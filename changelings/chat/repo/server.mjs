// @ts-check
/**
 * A web changeling: a page with a message box. The conversation is stored on disk, and a responder answers it.
 *
 *   node server.mjs [RESPONDER [ARGUMENT…]]
 *
 * README.md describes the values of RESPONDER and the environment variables.
 */
import { createServer } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { reportActivity } from "./lib/activity.mjs";
import { readConfig } from "./lib/config.mjs";
import { Conversation } from "./lib/conversation.mjs";
import { openJournal } from "./lib/journal.mjs";
import { listen, newSecret } from "./lib/listen.mjs";
import { Live } from "./lib/live.mjs";
import { log } from "./lib/log.mjs";
import { MemoryCommits } from "./lib/memory-commits.mjs";
import { deregister, register } from "./lib/registration.mjs";
import { createResponder } from "./lib/responder.mjs";
import { handler } from "./lib/routes.mjs";
import { Snapshot } from "./lib/snapshot.mjs";

const STOP_MS = 3_000;
const repo = dirname(fileURLToPath(import.meta.url));
const config = readConfig(process.env, process.argv.slice(2), repo);

const journal = await openJournal(config.memory);
const stopping = new AbortController();
const responder = createResponder(config, repo, stopping.signal);
const conversation = new Conversation(journal, responder, config.settings);
const snapshot = new Snapshot(config, conversation);
const commits = new MemoryCommits(config, repo, conversation);
reportActivity(config.stateDir, conversation);

await conversation.resume();
await snapshot.write();

// Every user of this machine can reach a port. The secret identifies the forwarding server.
const secret = config.port === undefined || config.stateDir === undefined ? undefined : newSecret(config.stateDir);
const live = new Live(conversation, secret);
const site = { name: config.name, isForwarded: config.stateDir !== undefined, conversation, live, secret };
const server = createServer(handler(site));
server.on("upgrade", (request, socket, head) => live.upgrade(request, socket, head));
const { url, close: removeAddress } = await listen(server, config);
// Before the server is announced: whoever stops it then expects it to deregister.
for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT", "SIGHUP"])) process.once(signal, () => void stop());
register(config.stateDir, url);
log(`${config.name} listens on ${url}, answers with ${config.responder}, remembers in ${config.memory}`);

async function stop() {
  setTimeout(() => process.exit(1), STOP_MS).unref();
  deregister(config.stateDir);
  stopping.abort();
  live.close();
  server.close();
  server.closeAllConnections();
  removeAddress();
  await Promise.all([conversation.stop(), snapshot.settle(), commits.settle()]);
  process.exit(0);
}
