import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import engineRpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import type { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { z } from "zod/mini";
import { diffRequest, failures, fromDiff, fromStruct, shapes, toStruct } from "./plugin-conversions.ts";
import type { Answer, Bag, Request } from "./plugin-messages.ts";

const serviceError = z.looseObject({ code: z.number(), details: z.string() });
const severities = ["debug", "info", "warning", "error"];

type Callback<T> = (error: grpc.ServiceError | null, response: T) => void;

/** Speaks the engine's side of the provider protocol with one plugin process, and is the engine that it logs to. */
export class PluginDriver implements AsyncDisposable {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly client: rpc.ResourceProviderClient;
  /** Emits `line` for each line that the plugin logs. */
  readonly log: EventEmitter<{ line: [string] }>;
  private readonly engine: grpc.Server;

  private constructor(
    process: ChildProcessByStdio<Writable, Readable, null>,
    client: rpc.ResourceProviderClient,
    engine: grpc.Server,
    log: EventEmitter<{ line: [string] }>,
  ) {
    this.process = process;
    this.client = client;
    this.engine = engine;
    this.log = log;
  }

  /** Starts the plugin executable in `cwd`, with exactly `env`, and configures it as engine 3.258 does. */
  static async start(
    executable: string,
    cwd: string,
    env: Record<string, string>,
    settings: Bag = {},
  ): Promise<PluginDriver> {
    const log = new EventEmitter<{ line: [string] }>().setMaxListeners(0);
    const engine = new grpc.Server();
    engine.addService(engineRpc.EngineService, {
      log: (call: grpc.ServerUnaryCall<LogRequest, empty.Empty>, reply: Callback<empty.Empty>) => {
        const entry = call.request;
        const kind = entry.getEphemeral() ? "status" : "message";
        const name = entry.getUrn().split("::").at(-1);
        log.emit("line", `${severities[entry.getSeverity()]} ${kind} ${name}: ${entry.getMessage()}`);
        reply(null, new empty.Empty());
      },
    });
    const enginePort = await new Promise<number>((resolve, reject) => {
      engine.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    const child = spawn(executable, [`127.0.0.1:${enginePort}`], { cwd, env, stdio: ["pipe", "pipe", "inherit"] });
    const [port] = await once(createInterface(child.stdout), "line");
    const client = new rpc.ResourceProviderClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_metadata_size": 16 * 1024 * 1024,
    });
    const driver = new PluginDriver(child, client, engine, log);
    const configure = new pb.ConfigureRequest();
    configure.setArgs(toStruct(settings));
    configure.setAcceptsecrets(true);
    configure.setAcceptresources(true);
    configure.setSendsOldInputs(true);
    configure.setSendsOldInputsToDelete(true);
    await new Promise<void>((resolve, reject) => {
      client.configure(configure, (error) => (error ? reject(error) : resolve()));
    });
    return driver;
  }

  /** Sends one request and waits for its answer; never throws for an error that the plugin answered. */
  async send(message: Request): Promise<Answer> {
    const lines: string[] = [];
    const collect = (line: string) => lines.push(line);
    this.log.on("line", collect);
    const result = await this.dispatch(message).then(
      (response): Omit<Answer, "log"> => ({ response }),
      (error: unknown) => {
        const status = serviceError.safeParse(error);
        if (!status.success) throw error;
        const { code, details } = status.data;
        return { error: { code: grpc.status[code] ?? String(code), message: details } };
      },
    );
    this.log.off("line", collect);
    return { ...result, log: lines };
  }

  cancel(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.client.cancel(new empty.Empty(), (error) => (error ? reject(error) : resolve(undefined)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.engine.forceShutdown();
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, "exit");
      this.process.kill("SIGINT");
      await exited;
    }
  }

  private async dispatch(message: Request): Promise<Answer["response"]> {
    const resource = message.token ?? "command:local:Command";
    const urn = `urn:pulumi:stack::project::${resource}::name`;
    const id = message.id ?? "name00000000";
    const timeout = message.timeoutSeconds ?? 0;
    const call = <T>(send: (reply: Callback<T>) => unknown) =>
      new Promise<T>((resolve, reject) => {
        send((error, response) => (error ? reject(error) : resolve(response)));
      });
    switch (message.method) {
      case "check": {
        const body = new pb.CheckRequest();
        body.setUrn(urn).setOlds(toStruct(message.olds)).setNews(toStruct(message.news));
        const response = await call<pb.CheckResponse>((reply) => this.client.check(body, reply));
        return { inputs: fromStruct(response.getInputs()), failures: failures(response.getFailuresList()) };
      }
      case "diff": {
        const response = await call<pb.DiffResponse>((reply) => this.client.diff(diffRequest(id, urn, message), reply));
        return fromDiff(response);
      }
      case "diffConfig": {
        const provider = "urn:pulumi:stack::project::pulumi:providers:name::default";
        const body = diffRequest(id, provider, message);
        return fromDiff(await call<pb.DiffResponse>((reply) => this.client.diffConfig(body, reply)));
      }
      case "create": {
        const body = new pb.CreateRequest();
        body.setUrn(urn).setProperties(toStruct(message.news)).setTimeout(timeout);
        body.setPreview(message.preview ?? false);
        const response = await call<pb.CreateResponse>((reply) => this.client.create(body, reply));
        return {
          id: response.getId().replace(/^name[0-9a-f]{8}$/, "name<8 hex digits>"),
          properties: fromStruct(response.getProperties()),
        };
      }
      case "update": {
        const body = new pb.UpdateRequest();
        body.setId(id).setUrn(urn).setOlds(toStruct(message.olds)).setNews(toStruct(message.news));
        body.setOldInputs(toStruct(message.oldInputs)).setIgnorechangesList(message.ignoreChanges ?? []);
        body.setTimeout(timeout).setPreview(message.preview ?? false);
        const response = await call<pb.UpdateResponse>((reply) => this.client.update(body, reply));
        return { properties: fromStruct(response.getProperties()) };
      }
      case "delete": {
        const body = new pb.DeleteRequest();
        body.setId(id).setUrn(urn).setProperties(toStruct(message.olds)).setTimeout(timeout);
        body.setOldInputs(toStruct(message.oldInputs));
        await call<empty.Empty>((reply) => this.client.delete(body, reply));
        return {};
      }
      case "read": {
        const body = new pb.ReadRequest();
        body.setId(id).setUrn(urn).setProperties(toStruct(message.olds)).setInputs(toStruct(message.oldInputs));
        const response = await call<pb.ReadResponse>((reply) => this.client.read(body, reply));
        return {
          id: response.getId(),
          properties: fromStruct(response.getProperties()),
          inputs: fromStruct(response.getInputs()),
        };
      }
      case "invoke": {
        const body = new pb.InvokeRequest();
        body.setTok(message.token ?? "command:local:run").setArgs(toStruct(message.news));
        const response = await call<pb.InvokeResponse>((reply) => this.client.invoke(body, reply));
        return { return: fromStruct(response.getReturn()), failures: failures(response.getFailuresList()) };
      }
      case "checkConfig": {
        const body = new pb.CheckRequest();
        body.setUrn("urn:pulumi:stack::project::pulumi:providers:name::default").setNews(toStruct(message.news));
        const response = await call<pb.CheckResponse>((reply) => this.client.checkConfig(body, reply));
        return { inputs: fromStruct(response.getInputs()), failures: failures(response.getFailuresList()) };
      }
      case "getSchema": {
        const response = await call<pb.GetSchemaResponse>((reply) =>
          this.client.getSchema(new pb.GetSchemaRequest(), reply),
        );
        return shapes(response.getSchema());
      }
      case "getPluginInfo": {
        const response = await call<PluginInfo>((reply) => this.client.getPluginInfo(new empty.Empty(), reply));
        return { version: response.getVersion() };
      }
    }
  }
}

/** Whether a process is alive, and not a zombie. */
export function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}

/** Waits until none of the processes is alive: a kill takes effect a moment after it was sent. */
export async function allEnd(pids: number[]): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (let left = pids.filter(isAlive); left.length > 0; left = left.filter(isAlive)) {
    if (Date.now() > deadline) throw new Error(`still running after 10 s: ${left.join(", ")}`);
    await sleep(20);
  }
}
