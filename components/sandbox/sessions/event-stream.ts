import { type SessionEvent, sessionEvent } from "./protocol.ts";

/** Parses a response of server-sent events. Yields each event as it arrives. */
export async function* eventsOf({ body }: Response): AsyncGenerator<SessionEvent> {
  if (body === null) return;
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of body) {
    text += decoder.decode(part, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      // An event is one line of JSON. Other lines are its cursor, and comments that keep the connection open.
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data !== undefined) yield sessionEvent.parse(JSON.parse(data.slice("data: ".length)));
    }
  }
}
