import { createHash } from "node:crypto";
import { status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import {
  answer,
  checkResponse,
  notServed,
  pluginHandlers,
  type ResourceMethods,
  resourceOf,
  StatusError,
} from "../answer.ts";
import { EngineLog } from "../engine-log.ts";
import type { Service } from "../serve.ts";
import { type Bag, isPlainObject, mapBag, receive, reveal, send, UNKNOWN, type Wire } from "../wire.ts";
import { check } from "./check.ts";
import { container } from "./container.ts";
import { Daemon } from "./daemon.ts";
import { diff } from "./diff.ts";
import type { Resource, Task } from "./resource.ts";
import { schema } from "./schema.ts";
import { version } from "./version.ts";
import { volume } from "./volume.ts";

const resources = [container, volume];

/**
 * Handles the engine's requests. It sees no secret markers: the engine unwraps secrets for a plugin that does not
 * accept them.
 */
export class DockerService implements Service, ResourceMethods {
  private daemon = new Daemon();
  private readonly canceled = new AbortController();
  private readonly engineLog: EngineLog;

  constructor(engine: string | undefined) {
    this.engineLog = new EngineLog(engine);
  }

  close(): void {
    this.canceled.abort();
    this.daemon.close();
  }

  handlers(): UntypedServiceImplementation {
    return {
      ...pluginHandlers({
        version,
        schema: () => schema(resources),
        log: this.engineLog,
        cancel: () => this.canceled.abort(new StatusError(status.CANCELLED, "canceled")),
        resources: this,
      }),
      checkConfig: answer((request: pb.CheckRequest) => this.checkConfig(request)),
      diffConfig: answer((request: pb.DiffRequest) => this.diffConfig(request)),
      configure: answer((request: pb.ConfigureRequest) => this.configure(request)),
    };
  }

  private checkConfig(request: pb.CheckRequest): pb.CheckResponse {
    const news = receive(request.getNews());
    const failures = Object.keys(news)
      .filter((name) => name !== "version" && !settings.includes(name))
      .map((property) => ({
        property,
        reason: `docker:${property} is not served by the stand-in for the docker plugin; set DOCKER_HOST or DOCKER_CONTEXT instead`,
      }));
    return checkResponse(news, failures);
  }

  private diffConfig(request: pb.DiffRequest): pb.DiffResponse {
    const [olds, news] = [receive(request.getOlds()), receive(request.getNews())];
    const diffs = settings.filter((name) => olds[name] !== news[name]);
    const response = new pb.DiffResponse().setChanges(toChanges(diffs)).setDiffsList(diffs);
    for (const name of diffs) {
      const kind = pb.PropertyDiff.Kind[olds[name] === undefined ? "ADD" : "UPDATE"];
      response.getDetaileddiffMap().set(name, new pb.PropertyDiff().setKind(kind).setInputdiff(true));
    }
    return response;
  }

  private configure(request: pb.ConfigureRequest): pb.ConfigureResponse {
    const { host, context } = receive(request.getArgs());
    this.daemon = new Daemon({ host: toText(host), context: toText(context) });
    return new pb.ConfigureResponse().setSupportspreview(true);
  }

  check(request: pb.CheckRequest): pb.CheckResponse {
    const { resource, name } = resourceNamed(request.getUrn());
    const [olds, news] = [receive(request.getOlds()), receive(request.getNews())];
    const invented = olds["name"] ?? inventName(name, request.getRandomseed_asU8());
    const { inputs, failures } = check(resource.fields, plain(news), invented);
    return checkResponse(inputs, failures);
  }

  diff(request: pb.DiffRequest): pb.DiffResponse {
    const { resource } = resourceNamed(request.getUrn());
    const [state, inputs] = [receive(request.getOlds()), receive(request.getNews())];
    const changes = diff(resource.fields, state, inputs);
    const replacing = changes.filter(({ replaces }) => replaces);
    const response = new pb.DiffResponse()
      .setChanges(toChanges(changes))
      .setDiffsList(changes.map(({ input }) => input))
      .setReplacesList(replacing.map(({ input }) => input))
      // The replacement usually has the same name.
      .setDeletebeforereplace(replacing.length > 0)
      .setHasdetaileddiff(true);
    for (const { differences, replaces } of changes) {
      for (const { path, kind } of differences) {
        const detail = new pb.PropertyDiff().setKind(
          pb.PropertyDiff.Kind[replaces ? (`${kind}_REPLACE` as const) : kind],
        );
        response.getDetaileddiffMap().set(path, detail);
      }
    }
    return response;
  }

  async create(request: pb.CreateRequest): Promise<pb.CreateResponse> {
    const { resource } = resourceNamed(request.getUrn());
    const inputs = withoutDefaults(receive(request.getProperties()));
    if (request.getPreview()) return new pb.CreateResponse().setProperties(send(previewOf(resource, inputs)));
    const { id, state } = await resource.create(this.task(request), inputs);
    return new pb.CreateResponse().setId(id).setProperties(send(state));
  }

  async read(request: pb.ReadRequest): Promise<pb.ReadResponse> {
    const { resource } = resourceNamed(request.getUrn());
    const id = request.getId();
    const state = await resource.read(this.task(request), id, receive(request.getProperties()));
    // A response without an id means that it no longer exists.
    if (state === undefined) return new pb.ReadResponse();
    const inputs = receive(request.getInputs());
    const drifted = diff(resource.fields, state, inputs).map(({ input }) => [input, state[input] ?? null]);
    return new pb.ReadResponse()
      .setId(id)
      .setProperties(send(state))
      .setInputs(send({ ...inputs, ...Object.fromEntries(drifted) }));
  }

  async update(request: pb.UpdateRequest): Promise<pb.UpdateResponse> {
    const { resource } = resourceNamed(request.getUrn());
    const [state, inputs] = [receive(request.getOlds()), withoutDefaults(receive(request.getNews()))];
    if (!request.getPreview()) await resource.update(this.task(request), request.getId(), state, inputs);
    return new pb.UpdateResponse().setProperties(send(updated(resource, state, inputs)));
  }

  async delete(request: pb.DeleteRequest): Promise<empty.Empty> {
    const { resource } = resourceNamed(request.getUrn());
    const state = receive(request.getProperties());
    await resource.delete(this.task(request), request.getId(), state);
    return new empty.Empty();
  }

  private task(request: { getUrn(): string }): Task {
    const log = (line: string) => this.engineLog.line(request.getUrn(), line);
    return { daemon: this.daemon, canceled: this.canceled.signal, log };
  }
}

/** The provider's settings that select a daemon other than the client's own choice. */
const settings = ["host", "context"];

function resourceNamed(urn: string): { resource: Resource; name: string } {
  const { type, name } = resourceOf(urn);
  const resource = resources.find(({ token }) => token === type);
  if (resource !== undefined) return { resource, name };
  throw notServed(type, { plugin: "docker", version, served: resources.map(({ token }) => token) });
}

/** Pulumi's automatic name: with seven hex digits, which depend only on the seed. */
const inventName = (name: string, seed: Uint8Array): string =>
  `${name}-${createHash("sha256").update(seed).update(name).digest("hex").slice(0, 7)}`;

/** The planned outputs. Those that the daemon supplies are unknown. */
function previewOf({ fields, constants, results }: Resource, inputs: Bag): Bag {
  const computed = Object.keys(fields).filter((name) => fields[name]?.computed && inputs[name] === undefined);
  const unknown = ["id", ...computed, ...results].map((name) => [name, UNKNOWN]);
  return { ...constants, ...inputs, ...Object.fromEntries(unknown) };
}

/** The state after an update. Omitted inputs are removed from it, unless the daemon supplied them. */
const updated = ({ fields }: Resource, state: Bag, inputs: Bag): Bag => ({
  ...mapBag(state, (value, name) => (fields[name] === undefined || fields[name].computed ? value : undefined)),
  ...inputs,
});

/** Removes the `__defaults` of `check`, at any depth. */
const withoutDefaults = (bag: Bag): Bag =>
  mapBag(bag, (value, name) => (name === "__defaults" ? undefined : deepen(withoutDefaults)(value)));
/** Unwraps secrets, which no engine sends to this plugin. */
const plain = (bag: Bag): Bag => mapBag(bag, (value) => deepen(plain)(reveal(value)));
/** Maps all objects within a value. */
const deepen =
  (change: (bag: Bag) => Bag) =>
  (value: Wire): Wire =>
    Array.isArray(value)
      ? value.map((element) => deepen(change)(reveal(element)))
      : isPlainObject(value)
        ? change(value)
        : value;
const toText = (value: unknown): string | undefined => (typeof value === "string" && value ? value : undefined);
const toChanges = (diffs: readonly unknown[]) =>
  pb.DiffResponse.DiffChanges[diffs.length > 0 ? "DIFF_SOME" : "DIFF_NONE"];
