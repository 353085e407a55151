import { fstatSync } from "node:fs";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import rpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { usePlainStructs } from "./plain-structs.ts";

export interface Service {
  /** The handlers, by their names in provider.proto. */
  handlers(): UntypedServiceImplementation;
  /** Called before the plugin exits. */
  close(): void;
}

/**
 * The main function of a plugin: `pulumi-resource-<name> [flags] [ENGINE]`. Prints its port to stdout, as the engine
 * expects, and serves until the engine ends it or exits.
 *
 * @param make receives the engine's address, if there is one
 */
export function servePlugin(make: (engine: string | undefined) => Service): void {
  // The engine's address is the only argument that is neither a flag nor the value of `--tracing`.
  const engine = process.argv
    .slice(2)
    .find((arg, index, args) => !arg.startsWith("-") && args[index - 1] !== "--tracing");
  usePlainStructs(structs);
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

/**
 * The engine holds the other end of stdin while it lives, so the end of stdin means that the engine ended, for any
 * reason.
 */
function exitWithEngine(): void {
  const stdin = fstatSync(0);
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.on("close", () => process.exit()).resume();
}
