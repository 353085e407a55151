import { randomBytes } from "node:crypto";
import { status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import {
  answer,
  checkResponse,
  type Failure,
  notServed,
  pluginHandlers,
  type ResourceMethods,
  resourceOf,
  StatusError,
  toMessage,
} from "../answer.ts";
import { EngineLog } from "../engine-log.ts";
import type { Service } from "../serve.ts";
import { type Bag, receive, send } from "../wire.ts";
import { type Change, diff } from "./diff.ts";
import {
  type Decoded,
  decodeCommand,
  decodeRun,
  decodeState,
  failureText,
  type Results,
  type RunInputs,
} from "./inputs.ts";
import { echo, inputsChanged, outputs, previewOutputs } from "./outputs.ts";
import { CommandRunner } from "./run-command.ts";
import { schema } from "./schema.ts";
import { version } from "./version.ts";

/** What the official plugin records in the state besides its configuration. */
const framework = { "__pulumi-go-provider-version": "1.2.0" };
const nothing: Results = { stdout: "", stderr: "", assets: undefined, archive: undefined };

/** Handles the engine's requests. What is missing here is missing in the official plugin too. */
export class CommandService implements Service, ResourceMethods {
  private readonly runner = new CommandRunner();
  private readonly log: EngineLog;

  constructor(engine: string | undefined) {
    this.log = new EngineLog(engine);
  }

  close(): void {
    this.runner.close();
  }

  handlers(): UntypedServiceImplementation {
    return {
      ...pluginHandlers({
        version,
        schema: () => schema(version),
        log: this.log,
        cancel: () => this.runner.cancel(),
        resources: this,
      }),
      checkConfig: answer((request: pb.CheckRequest) =>
        checkResponse({ ...receive(request.getNews()), ...framework }, []),
      ),
      configure: answer(() =>
        new pb.ConfigureResponse()
          .setAcceptsecrets(true)
          .setSupportspreview(true)
          .setAcceptresources(true)
          .setAcceptoutputs(true),
      ),
      invoke: answer((request: pb.InvokeRequest) => this.invoke(request)),
    };
  }

  check(request: pb.CheckRequest): pb.CheckResponse {
    requireCommand(request.getUrn());
    const news = receive(request.getNews());
    const { failures } = decodeCommand(news);
    return checkResponse(failures.length > 0 ? news : echo(news), failures);
  }

  diff(request: pb.DiffRequest): pb.DiffResponse {
    requireCommand(request.getUrn());
    const news = withIgnored(receive(request.getNews()), receive(request.getOlds()), request.getIgnorechangesList());
    const internal = (name: string) => name === "version" || name.startsWith("__");
    const inputs = Object.fromEntries(Object.entries(news).filter(([name]) => !internal(name)));
    const changes = diff(receive(request.getOldInputs()), inputs);
    const replacing = changes.filter(({ change }) => change.endsWith("_REPLACE"));
    const response = new pb.DiffResponse()
      .setChanges(pb.DiffResponse.DiffChanges[changes.length > 0 ? "DIFF_SOME" : "DIFF_NONE"])
      .setDiffsList([...new Set(changes.map(({ input }) => input))])
      .setReplacesList([...new Set(replacing.map(({ input }) => input))])
      .setHasdetaileddiff(true);
    for (const { path, change } of changes) response.getDetaileddiffMap().set(path, toPropertyDiff(change));
    return response;
  }

  async create(request: pb.CreateRequest): Promise<pb.CreateResponse> {
    const urn = request.getUrn();
    const name = requireCommand(urn);
    const bag = receive(request.getProperties());
    const inputs = valid(decodeCommand(bag), "invalid inputs: ");
    const preview = request.getPreview();
    const results = preview ? nothing : await this.run(urn, inputs.create, inputs, nothing, request.getTimeout());
    return new pb.CreateResponse()
      .setId(`${name}${randomBytes(4).toString("hex")}`)
      .setProperties(send(preview ? previewOutputs(bag, results, true) : outputs(bag, results)));
  }

  read(request: pb.ReadRequest): pb.ReadResponse {
    requireCommand(request.getUrn());
    const [inputs, state] = [receive(request.getInputs()), receive(request.getProperties())];
    valid(decodeCommand(inputs));
    // An import has no state yet.
    const missing = (failure: Failure) => failure.reason.startsWith("Missing required field");
    const { value, failures } = decodeState(state);
    valid({ value, failures: failures.filter((failure) => !missing(failure)) });
    return new pb.ReadResponse().setId(request.getId()).setProperties(send(state)).setInputs(send(inputs));
  }

  async update(request: pb.UpdateRequest): Promise<pb.UpdateResponse> {
    const urn = request.getUrn();
    requireCommand(urn);
    const state = receive(request.getOlds());
    const bag = withIgnored(receive(request.getNews()), state, request.getIgnorechangesList());
    const { results: previous } = valid(decodeState(state));
    const inputs = valid(decodeCommand(bag));
    if (request.getPreview()) {
      const properties = previewOutputs(bag, previous, inputsChanged(state, bag));
      return new pb.UpdateResponse().setProperties(send(properties));
    }
    const command = inputs.update ?? inputs.create;
    const results = await this.run(urn, command, inputs, previous, request.getTimeout());
    return new pb.UpdateResponse().setProperties(send(outputs(bag, results)));
  }

  async delete(request: pb.DeleteRequest): Promise<empty.Empty> {
    const urn = request.getUrn();
    requireCommand(urn);
    const { inputs, results } = valid(decodeState(receive(request.getProperties())));
    await this.run(urn, inputs.delete, inputs, results, request.getTimeout());
    return new empty.Empty();
  }

  private async invoke(request: pb.InvokeRequest): Promise<pb.InvokeResponse> {
    requireToken(request.getTok(), "command:local:run", "Invoke");
    const bag = receive(request.getArgs());
    const { value: inputs, failures } = decodeRun(bag);
    if (failures.length > 0)
      return new pb.InvokeResponse().setReturn(send({})).setFailuresList(failures.map(toMessage));
    const results = await this.run("", inputs.command, inputs, nothing, 0);
    return new pb.InvokeResponse().setReturn(send(outputs(bag, results)));
  }

  private async run(
    urn: string,
    command: string | undefined,
    inputs: RunInputs,
    previous: Results,
    timeoutSeconds: number,
  ): Promise<Results> {
    if (command === undefined) return previous;
    const log = (line: string) => this.log.line(urn, line);
    return this.runner.run({ command, inputs, previous, timeoutSeconds, log });
  }
}

/** The name of the resource, which must be a `Command`. */
function requireCommand(urn: string): string {
  const { type, name } = resourceOf(urn);
  requireToken(type, "command:local:Command", "Resource");
  return name;
}

function requireToken(token: string, served: string, noun: "Resource" | "Invoke"): void {
  if (token === served) return;
  const short = token.replace(/^command:/, "");
  if (!short.startsWith("remote:")) throw new StatusError(status.NOT_FOUND, `${noun} '${short}' not found`);
  throw notServed(token, { plugin: "command", version, served: ["command:local:Command", "command:local:run"] });
}

function valid<T>({ value, failures }: Decoded<T>, prefix = ""): T {
  if (failures.length > 0) throw new Error(prefix + failureText(failures));
  return value;
}

/** The engine has already done this; the official plugin repeats it, but only for whole inputs. */
const withIgnored = (news: Bag, state: Bag, ignored: string[]): Bag => ({
  ...news,
  ...Object.fromEntries(Object.entries(state).filter(([name]) => ignored.includes(name))),
});

const toPropertyDiff = (change: Change) => new pb.PropertyDiff().setKind(pb.PropertyDiff.Kind[change]);
