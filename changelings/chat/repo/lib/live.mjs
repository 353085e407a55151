// @ts-check
import { STATUS_CODES } from "node:http";
import { WebSocketServer } from "ws";
import { refusal } from "./same-site.mjs";

/** @typedef {import("./conversation.mjs").Change} Change */

const PROTOCOL = "chat.v1";
const HEARTBEAT_MS = 25_000;
/** A reader with this many unread bytes is disconnected. It reconnects and requests what it missed. */
const MOST_WAITING = 1_000_000;

/** Sends each change of the conversation to all open pages, over WebSockets and as server-sent events. */
export class Live {
  #conversation;
  #secret;
  #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 1_024,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  /** @type {Set<() => void>} */
  #endings = new Set();

  /** @param {import("./conversation.mjs").Conversation} conversation @param {string} [secret] see `refusal` */
  constructor(conversation, secret) {
    this.#conversation = conversation;
    this.#secret = secret;
  }

  /**
   * A WebSocket at `/live?after=ID`: first sends the messages after that one, then new ones.
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:stream").Duplex} socket
   * @param {Buffer} head
   */
  upgrade(request, socket, head) {
    socket.on("error", () => socket.destroy());
    const [path, query] = (request.url ?? "").split("?", 2);
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((each) => each.trim());
    const status =
      refusal(request, this.#secret) !== undefined
        ? 403
        : path !== "/live"
          ? 404
          : offered.includes(PROTOCOL)
            ? 101
            : 400;
    if (status !== 101) {
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      let isAlive = true;
      const end = this.#open({
        after: idOf(new URLSearchParams(query).get("after")),
        send: (change) => client.send(JSON.stringify(change)),
        waiting: () => client.bufferedAmount,
        beat: () => {
          if (!isAlive) return client.terminate();
          isAlive = false;
          client.ping();
        },
        end: () => client.close(1001, "the agent stops"),
        cut: () => client.terminate(),
      });
      client.on("pong", () => {
        isAlive = true;
      });
      client.on("error", () => client.terminate());
      client.on("close", end);
    });
  }

  /**
   * Server-sent events at `/events?after=ID`, with the same content as the WebSocket.
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   * @param {URLSearchParams} query
   */
  events(request, response, query) {
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.write("retry: 2000\n\n");
    const end = this.#open({
      // A browser that reconnects sends the last id that it saw.
      after: idOf(request.headers["last-event-id"] ?? query.get("after")),
      send: (change) => {
        const id = "message" in change ? `id: ${change.message.id}\n` : "";
        response.write(`${id}data: ${JSON.stringify(change)}\n\n`);
      },
      waiting: () => response.writableLength,
      beat: () => response.write(":\n\n"),
      end: () => response.end(),
      cut: () => response.destroy(),
    });
    response.on("error", () => response.destroy());
    response.on("close", end);
  }

  close() {
    for (const end of this.#endings) end();
  }

  /**
   * @param {{ after: number, send: (change: Change) => void, waiting: () => number, beat: () => void, end: () => void,
   *   cut: () => void }} reader
   * @returns {() => void} to be called when the reader has disconnected
   */
  #open({ after, send, waiting, beat, end, cut }) {
    for (const message of this.#conversation.after(after)) send({ message });
    send({ answering: this.#conversation.isAnswering });
    const unsubscribe = this.#conversation.subscribe((change) => (waiting() > MOST_WAITING ? cut() : send(change)));
    const timer = setInterval(beat, HEARTBEAT_MS);
    this.#endings.add(end);
    return () => {
      clearInterval(timer);
      unsubscribe();
      this.#endings.delete(end);
    };
  }
}

/** @param {string | string[] | null} text */
function idOf(text) {
  const id = Number(text ?? 0);
  return Number.isInteger(id) && id > 0 ? id : 0;
}
