import { credentials } from "@grpc/grpc-js";
import rpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import pb from "@pulumi/pulumi/proto/engine_pb.js";

/** The engine's log, as the place where a command's output appears while it runs. */
export class EngineLog {
  private client: rpc.EngineClient | undefined;
  private address: string | undefined;

  constructor(address: string | undefined) {
    this.address = address;
  }

  /** For an engine that is told to the plugin after its start. */
  attach(address: string): void {
    this.client?.close();
    this.client = undefined;
    this.address = address;
  }

  /** Kept when the engine has taken the line; also when there is no engine to take it, for a command outweighs its log. */
  line(urn: string, message: string): Promise<void> {
    if (this.address === undefined) return Promise.resolve();
    this.client ??= new rpc.EngineClient(this.address, credentials.createInsecure());
    const request = new pb.LogRequest();
    request.setSeverity(pb.LogSeverity.INFO).setMessage(message).setUrn(urn).setEphemeral(true);
    return new Promise((resolve) => {
      this.client?.log(request, () => resolve());
    });
  }
}
