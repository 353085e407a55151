// @ts-check
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Registers the page's URL with mngr, and so with the forwarding server: as a line in mngr's event format. A later line
 * overrides an earlier one, so a crash needs no cleanup.
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
