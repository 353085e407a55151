import { Socket } from "node:net";

/** Exchanges lines of JSON with the service, on file descriptor 3. Saves built-ins before the agent's code can change them. */
export interface Channel {
  send(message: Readonly<Record<string, unknown>>): void;
  /** @param receive gets messages of the service, which are trusted */
  onMessage(receive: (message: Message) => void): void;
}

/** A message of the service. Which fields exist depends on the type. */
export interface Message {
  readonly type: "load" | "call" | "value" | "run" | "result";
  readonly bundle: string;
  readonly tests: boolean;
  readonly id: number;
  readonly what: "handle" | "checks" | "plan";
  readonly input: unknown;
  readonly now: number;
  readonly seed: number;
  readonly read: number;
  readonly value: unknown;
  readonly state: Readonly<Record<string, string>>;
  readonly error: string;
}

const { parse, stringify } = JSON;

export function openChannel(): Channel {
  const socket = new Socket({ fd: 3, readable: true, writable: true });
  const exit = process.exit.bind(process);
  // The service has ended.
  socket.once("close", () => exit(0));
  socket.once("error", () => exit(0));
  return {
    send(message) {
      socket.write(`${stringify(message)}\n`);
    },
    onMessage(receive) {
      let rest = "";
      socket.setEncoding("utf8").on("data", (text: string) => {
        rest += text;
        for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
          const line = rest.slice(0, end);
          rest = rest.slice(end + 1);
          receive(parse(line));
        }
      });
    },
  };
}
