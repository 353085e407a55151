import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";

/** An error with the gRPC status to answer with. */
export class StatusError extends Error {
  readonly code: status;
  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** The handler of one kind of request: what `handle` throws becomes the answer's error. */
export function answer<Request, Response>(handle: (request: Request) => Response | Promise<Response>) {
  return async (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>) => {
    try {
      reply(null, await handle(call.request));
    } catch (error) {
      const code = error instanceof StatusError ? error.code : status.UNKNOWN;
      reply({ code, details: error instanceof Error ? error.message : String(error) });
    }
  };
}

/** The type and the name of the resource that a request is about. */
export function resourceOf(urn: string): { type: string; name: string } {
  const [, , types = "", ...name] = urn.split("::");
  return { type: types.split("$").at(-1) ?? "", name: name.join("::") };
}
