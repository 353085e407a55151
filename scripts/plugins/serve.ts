import { fstatSync } from "node:fs";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import rpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";

export interface Service {
  /** The handlers, by their names in provider.proto. */
  handlers(): UntypedServiceImplementation;
  /** The last thing that the plugin does. */
  close(): void;
}

/**
 * The program of a plugin: `pulumi-resource-<name> [flags] [ENGINE]`. Writes the port that it serves on to stdout, as
 * the engine expects, and serves until the engine ends it or is gone.
 *
 * @param make gets the engine's address, when there is one
 */
export function servePlugin(make: (engine: string | undefined) => Service): void {
  // The engine's address is the one argument that is neither a flag nor `--tracing`'s value.
  const engine = process.argv
    .slice(2)
    .find((arg, index, args) => !arg.startsWith("-") && args[index - 1] !== "--tracing");
  const service = make(engine);
  process.on("exit", () => service.close());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit());
  if (engine !== undefined) exitWithEngine();
  const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  server.addService(rpc.ResourceProviderService, service.handlers());
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
}

/** The engine holds the other end of stdin for as long as it lives, so its end is the engine's, however it came. */
function exitWithEngine(): void {
  const stdin = fstatSync(0);
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.on("close", () => process.exit()).resume();
}
