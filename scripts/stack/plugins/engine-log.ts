import { credentials } from "@grpc/grpc-js";
import rpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import pb from "@pulumi/pulumi/proto/engine_pb.js";

/** Writes to the engine's log, which shows a command's output while it runs. */
export class EngineLog {
  private client: rpc.EngineClient | undefined;
  private address: string | undefined;

  constructor(address: string | undefined) {
    this.address = address;
  }

  /** For an engine whose address the plugin learns after its start. */
  attach(address: string): void {
    this.client?.close();
    this.client = undefined;
    this.address = address;
  }

  /**
   * Resolves when the engine has accepted the line. Also resolves without an engine: a command matters more than its
   * log.
   */
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
