// @ts-check
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Tells mngr, and so the forwarding server, where the page is: a line in the form of mngr's own events. A later line
 * overrides an earlier one, so nothing needs to be tidied up after a crash.
 *
 * @param {string | undefined} stateDir @param {string} url
 */
export function register(stateDir, url) {
  append(stateDir, { type: "service_registered", service: "web", url });
}

/** @param {string | undefined} stateDir */
export function deregister(stateDir) {
  append(stateDir, { type: "service_deregistered", service: "web" });
}

/** @param {string | undefined} stateDir @param {Record<string, string>} event */
function append(stateDir, event) {
  if (stateDir === undefined) return;
  const folder = join(stateDir, "events", "services");
  mkdirSync(folder, { recursive: true });
  const envelope = { timestamp: new Date().toISOString(), event_id: `evt-${randomUUID()}`, source: "services" };
  appendFileSync(join(folder, "events.jsonl"), `${JSON.stringify({ ...envelope, ...event })}\n`);
}
