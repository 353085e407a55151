import { type ServerUnaryCall, type sendUnaryData, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { EngineLog } from "./engine-log.ts";
import { type Bag, send } from "./wire.ts";

/** An error with the gRPC status to answer with. */
export class StatusError extends Error {
  readonly code: status;
  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/** Wraps the handler of one kind of request: an error thrown by `handle` becomes the response's error. */
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

/** The type and the name of a request's resource. */
export function resourceOf(urn: string): { type: string; name: string } {
  const [, , types = "", ...name] = urn.split("::");
  return { type: types.split("$").at(-1) ?? "", name: name.join("::") };
}

/** One error of an input. */
export interface Failure {
  /** Its path in Pulumi's spelling. */
  property: string;
  /** In the official plugin's words. */
  reason: string;
}

/** @param failures of inputs; the engine stops if there are any */
export function checkResponse(inputs: Bag, failures: readonly Failure[]): pb.CheckResponse {
  return new pb.CheckResponse().setInputs(send(inputs)).setFailuresList(failures.map(toMessage));
}

export function toMessage({ property, reason }: Failure): pb.CheckFailure {
  return new pb.CheckFailure().setProperty(property).setReason(reason);
}

/** The error for a type or function that only the official plugin serves, with the remedy. */
export function notServed(
  token: string,
  { plugin, version, served }: { plugin: string; version: string; served: readonly string[] },
): StatusError {
  return new StatusError(
    status.UNIMPLEMENTED,
    `${token} is not served by the stand-in for the ${plugin} plugin that is installed here, which only serves ` +
      `${served.join(" and ")}. Use a PULUMI_HOME with the official plugin: ` +
      `pulumi plugin install resource ${plugin} ${version}`,
  );
}

/** What a plugin does with its resources. */
export interface ResourceMethods {
  check(request: pb.CheckRequest): pb.CheckResponse;
  diff(request: pb.DiffRequest): pb.DiffResponse;
  create(request: pb.CreateRequest): Promise<pb.CreateResponse>;
  read(request: pb.ReadRequest): pb.ReadResponse | Promise<pb.ReadResponse>;
  update(request: pb.UpdateRequest): Promise<pb.UpdateResponse>;
  delete(request: pb.DeleteRequest): Promise<empty.Empty>;
}

export interface PluginParts {
  readonly version: string;
  /** JSON. */
  readonly schema: () => string;
  readonly log: EngineLog;
  readonly cancel: () => void;
  readonly resources: ResourceMethods;
}

/** The handlers that every plugin has. */
export function pluginHandlers({ version, schema, log, cancel, resources }: PluginParts): UntypedServiceImplementation {
  return {
    check: answer((request: pb.CheckRequest) => resources.check(request)),
    diff: answer((request: pb.DiffRequest) => resources.diff(request)),
    create: answer((request: pb.CreateRequest) => resources.create(request)),
    read: answer((request: pb.ReadRequest) => resources.read(request)),
    update: answer((request: pb.UpdateRequest) => resources.update(request)),
    delete: answer((request: pb.DeleteRequest) => resources.delete(request)),
    getPluginInfo: answer(() => new plugin.PluginInfo().setVersion(version)),
    getSchema: answer(() => new pb.GetSchemaResponse().setSchema(schema())),
    attach: answer((request: plugin.PluginAttach) => {
      log.attach(request.getAddress());
      return new empty.Empty();
    }),
    cancel: answer(() => {
      cancel();
      return new empty.Empty();
    }),
  };
}
