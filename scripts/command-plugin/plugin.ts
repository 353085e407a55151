import { fstatSync } from "node:fs";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import rpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { EngineLog } from "./engine-log.ts";
import { CommandRunner } from "./run-command.ts";
import { CommandService } from "./service.ts";

/**
 * The program: `pulumi-resource-command [flags] [ENGINE]`. Writes the port that it serves on to stdout, as the engine
 * expects, and serves until the engine ends it or is gone.
 */

/** The engine's address is the one argument that is neither a flag nor `--tracing`'s value. */
const engine = process.argv
  .slice(2)
  .find((arg, index, args) => !arg.startsWith("-") && args[index - 1] !== "--tracing");

const runner = new CommandRunner();
process.on("exit", () => runner.close());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit());
if (engine !== undefined) exitWithEngine();

const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
server.addService(rpc.ResourceProviderService, new CommandService(runner, new EngineLog(engine)).handlers());
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});

/** The engine holds the other end of stdin for as long as it lives, so its end is the engine's, however it came. */
function exitWithEngine(): void {
  const stdin = fstatSync(0);
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.on("close", () => process.exit()).resume();
}
