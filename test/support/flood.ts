import { once } from "node:events";
import { connect } from "node:net";

/** Opens connections to a port of this machine that each send a text and then wait. */
export async function flood(port: number, count: number, text: string) {
  const sockets = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {}).resume();
      await once(socket, "connect");
      socket.write(text);
      return socket;
    }),
  );
  return {
    open: () => sockets.filter(({ closed }) => !closed).length,
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
