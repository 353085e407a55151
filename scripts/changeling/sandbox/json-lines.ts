import type { SessionEvent } from "../../../components/sandbox/sessions/protocol.ts";

/** One JSON object per line. Characters that a terminal would interpret are escaped. */
export function printEvent(event: SessionEvent): void {
  const json = JSON.stringify(event).replace(
    /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  process.stdout.write(`${json}\n`);
}
