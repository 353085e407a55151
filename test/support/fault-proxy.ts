import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * What happens to connections:
 * - `pass`: they are forwarded.
 * - `refuse`: nothing listens; open ones are reset.
 * - `hang`: they are accepted but forward nothing; open ones stall.
 * - `cutAfterBytes`: each is reset once that many bytes have come back from the server (0: at once); with `times`, only
 *   so many of the new ones, and all others pass.
 */
export type FaultMode = "pass" | "refuse" | "hang" | { readonly cutAfterBytes: number; readonly times?: number };

export interface FaultProxy extends AsyncDisposable {
  /** "http://127.0.0.1:PORT", the same in every mode. */
  readonly url: string;
  /** How many connections it has accepted so far. */
  readonly connections: number;
  /** Resolves when the mode is active. */
  switchTo(mode: FaultMode): Promise<void>;
  stop(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** How many more bytes may come back from the server. */
  bytesLeft: number;
}

/**
 * A TCP proxy on loopback that can simulate network failures.
 * @param target "http://127.0.0.1:PORT": where connections go
 */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const pairs = new Set<Pair>();
  let mode: FaultMode = "pass";
  let cutsLeft = Number.POSITIVE_INFINITY;
  let connections = 0;

  const apply = (pair: Pair): void => {
    pair.bytesLeft = Number.POSITIVE_INFINITY;
    if (mode === "hang") {
      silence(pair);
      return;
    }
    if (typeof mode === "object" && cutsLeft > 0) {
      pair.bytesLeft = mode.cutAfterBytes;
      if (pair.bytesLeft === 0) {
        reset(pair);
        return;
      }
    }
    speak(pair);
  };
  const take = (near: Socket): void => {
    connections += 1;
    const far = connect(Number(targetPort), hostname);
    const pair = { near, far, bytesLeft: 0 };
    pairs.add(pair);
    bind(pair, () => pairs.delete(pair));
    apply(pair);
    cutsLeft -= 1;
  };

  const server = createServer(take);
  await listen(server, 0);
  const port = portOf(server);
  const stopListening = (): void => {
    server.close();
    for (const pair of pairs) reset(pair);
  };
  const stop = async (): Promise<void> => stopListening();
  return {
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    async switchTo(next) {
      mode = next;
      const times = typeof next === "object" ? next.times : undefined;
      cutsLeft = times === undefined ? Number.POSITIVE_INFINITY : 0; // for connections that are already open
      if (next === "refuse") {
        stopListening();
        return;
      }
      if (!server.listening) await listen(server, port);
      for (const pair of pairs) apply(pair);
      cutsLeft = times ?? Number.POSITIVE_INFINITY;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The port on which a server listens. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("this server listens on no port");
  return address.port;
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

function bind(pair: Pair, ended: () => void): void {
  const { near, far } = pair;
  far.on("data", (chunk: Buffer) => {
    pair.bytesLeft -= chunk.length;
    if (pair.bytesLeft <= 0) reset(pair);
  });
  for (const [one, other] of [[near, far] as const, [far, near] as const]) {
    one.on("error", () => other.destroy());
    one.once("close", () => {
      other.destroy();
      ended();
    });
  }
}

function silence({ near, far }: Pair): void {
  near.unpipe(far).pause();
  far.unpipe(near).pause();
}

/** Unpipes first, because piping an active pair twice would send everything twice. */
function speak({ near, far }: Pair): void {
  near.unpipe(far).pipe(far);
  far.unpipe(near).pipe(near);
}

function reset({ near, far }: Pair): void {
  near.resetAndDestroy();
  far.destroy();
}
