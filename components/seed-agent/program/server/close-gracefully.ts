import type { FastifyInstance } from "fastify";

/**
 * Once the server closes, Node ends connections that are idle at that moment only; others could be kept alive. This ends
 * each when its answer is sent, and at last those that are still under way.
 */
export function closeGracefully(app: FastifyInstance, graceMilliseconds: number): void {
  app.addHook("preClose", async () => {
    const began = Date.now();
    const timer = setInterval(() => {
      if (Date.now() - began < graceMilliseconds) app.server.closeIdleConnections();
      else app.server.closeAllConnections();
    }, 50);
    app.server.once("close", () => clearInterval(timer));
    // A server that never listened has no close event.
    timer.unref();
  });
}
