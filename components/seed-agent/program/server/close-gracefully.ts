import type { FastifyInstance } from "fastify";

/**
 * When a server closes, Node ends only the connections that are idle at that moment. This ends the others when their answer
 * has been sent, and all that are left after `graceMilliseconds`.
 */
export function closeGracefully(app: FastifyInstance, graceMilliseconds: number): void {
  app.addHook("preClose", async () => {
    const began = Date.now();
    const timer = setInterval(() => {
      if (Date.now() - began < graceMilliseconds) app.server.closeIdleConnections();
      else app.server.closeAllConnections();
    }, 50);
    app.server.once("close", () => clearInterval(timer));
    // A server that never listened emits no close event.
    timer.unref();
  });
}
