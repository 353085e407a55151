import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import * as z from "zod/mini";
import { CloudWorkerd, type UploadedWorker } from "./cloud-workerd.ts";

/** What wrangler sends with the modules, in the parts that matter here. Other bindings are refused. */
const metadata = z.object({
  main_module: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z._default(z.array(z.string()), []),
  migrations: z.optional(
    z.object({
      new_tag: z.optional(z.string()),
      new_sqlite_classes: z.optional(z.array(z.string())),
      steps: z.optional(z.array(z.object({ new_sqlite_classes: z._default(z.array(z.string()), []) }))),
    }),
  ),
  keep_bindings: z._default(z.array(z.string()), []),
  bindings: z.array(
    z.discriminatedUnion("type", [
      z.object({ type: z.literal("durable_object_namespace"), name: z.string(), class_name: z.string() }),
      z.object({ type: z.literal("plain_text"), name: z.string(), text: z.string() }),
      z.object({ type: z.literal("secret_text"), name: z.string(), text: z.string() }),
      z.object({ type: z.literal("version_metadata"), name: z.string() }),
    ]),
  ),
});

const deployment = z.object({ versions: z.array(z.object({ version_id: z.string(), percentage: z.literal(100) })) });

interface Script {
  readonly metadata: z.output<typeof metadata>;
  readonly modules: ReadonlyMap<string, string>;
  readonly migrationTag: string | undefined;
  readonly classes: readonly string[];
  versionId: string;
  isReachable: boolean;
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
}

/**
 * Cloudflare's API as far as wrangler uses it for one worker, on loopback. What is uploaded runs in real workerd with the
 * bindings that were uploaded with it; `url` is the worker's address.
 */
export class CloudflareStandIn implements AsyncDisposable {
  readonly token = "cf-token-8c1f0e6d4b2a49c7a5e3";
  readonly accountId = "0123456789abcdef0123456789abcdef";
  readonly requests: RecordedRequest[] = [];
  readonly scripts = new Map<string, Script>();
  readonly cloud: CloudWorkerd;
  readonly #server: Server;
  #versions = 0;
  /** Versions that were uploaded, by id. */
  readonly #waiting = new Map<string, Script>();

  private constructor(cloud: CloudWorkerd) {
    this.cloud = cloud;
    this.#server = createServer((request, response) => {
      this.#answer(request).then(
        ({ status = 200, result, error }) => {
          const errors = error === undefined ? [] : [error];
          response.writeHead(status, { "content-type": "application/json" });
          response.end(JSON.stringify({ success: error === undefined, errors, messages: [], result: result ?? null }));
        },
        (error: unknown) => {
          response.writeHead(400, { "content-type": "application/json" });
          const errors = [{ code: 1, message: error instanceof Error ? error.message : String(error) }];
          response.end(JSON.stringify({ success: false, errors, messages: [], result: null }));
        },
      );
    });
  }

  static async start(): Promise<CloudflareStandIn> {
    const standIn = new CloudflareStandIn(await CloudWorkerd.create());
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    return standIn;
  }

  /** For `up`. */
  get env(): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    return {
      CLOUDFLARE_API_TOKEN: this.token,
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}/client/v4`,
      CHANGELINGS_WORKER_URL: this.cloud.url,
    };
  }

  /** Somebody changes a worker's code in the dashboard. */
  async edit(name: string, change: (code: string) => string): Promise<void> {
    const script = this.scripts.get(name);
    if (script === undefined) throw new Error(`there is no worker ${name}`);
    const modules = new Map([...script.modules].map(([module, code]) => [module, change(code)] as const));
    await this.#run(name, { ...script, modules, versionId: this.#newVersion() });
  }

  /** Somebody deletes a worker in the dashboard, with its objects. */
  async delete(name: string): Promise<void> {
    this.scripts.delete(name);
    await this.cloud.delete();
  }

  async #answer(
    request: IncomingMessage,
  ): Promise<{ status?: number; result?: unknown; error?: { code: number; message: string } }> {
    const { method = "", url = "" } = request;
    const { pathname } = new URL(url, "http://api");
    const [, token] = /^Bearer (.*)$/.exec(request.headers.authorization ?? "") ?? [];
    this.requests.push({ method, path: url, token });
    const body = await buffer(request);
    if (token !== this.token) return { status: 403, error: { code: 10000, message: "Authentication error" } };
    const base = `/client/v4/accounts/${this.accountId}/workers/`;
    // What wrangler deletes together with a worker, and this one has not.
    if (pathname.endsWith("/storage/kv/namespaces") || pathname.includes("/containers/")) return { result: [] };
    if (!pathname.startsWith(base)) return notFound(`${method} ${pathname}`);
    const [top, name = "", what = ""] = pathname.slice(base.length).split("/");
    const script = this.scripts.get(name);
    switch (`${method} ${top} ${what}`) {
      case "GET subdomain ":
        return { result: { subdomain: "ada" } };
      case "GET durable_objects ":
        return { result: [] };
      case "GET services ":
        return script === undefined ? notFound(name, 10090) : { result: serviceOf(name, script) };
      case "DELETE services ":
        if (script === undefined) return notFound(name, 10090);
        await this.delete(name);
        return { result: null };
      case "GET scripts secrets":
        return {
          result:
            script?.metadata.bindings.flatMap(({ type, name }) => (type === "secret_text" ? [{ type, name }] : [])) ??
            [],
        };
      case "GET scripts settings":
        return script === undefined
          ? notFound(name, 10007)
          : {
              result: {
                bindings: script.metadata.bindings.map((each) =>
                  each.type === "secret_text" ? { type: each.type, name: each.name } : each,
                ),
              },
            };
      case "GET workers ":
        return script === undefined
          ? notFound(name, 10007)
          : { result: { id: name, name, subdomain: { enabled: script.isReachable, previews_enabled: false } } };
      case "GET scripts deployments":
        return { result: { deployments: [] } };
      case "GET scripts subdomain":
        return script === undefined
          ? notFound(name, 10007)
          : { result: { enabled: script.isReachable, previews_enabled: false } };
      case "POST scripts subdomain": {
        if (script === undefined) return notFound(name, 10007);
        script.isReachable = z.object({ enabled: z.boolean() }).parse(JSON.parse(body.toString())).enabled;
        if (!script.isReachable) await this.cloud.kill();
        return { result: { enabled: script.isReachable, previews_enabled: false } };
      }
      case "PUT scripts ": {
        const uploaded = await this.#uploaded(name, request.headers["content-type"] ?? "", body);
        await this.#run(name, uploaded);
        const { versionId, metadata } = uploaded;
        const entry = { entry_point: metadata.main_module, startup_time_ms: 5, handlers: ["fetch"] };
        return {
          result: { id: name, tag: name, etag: "etag", deployment_id: versionId.replaceAll("-", ""), ...entry },
        };
      }
      // Of a worker that exists: a version is uploaded, and deployed apart from that.
      case "POST scripts versions": {
        const uploaded = await this.#uploaded(name, request.headers["content-type"] ?? "", body);
        this.#waiting.set(uploaded.versionId, uploaded);
        return {
          result: {
            id: uploaded.versionId,
            startup_time_ms: 5,
            metadata: { has_preview: false },
            resources: { script: { etag: "etag" } },
          },
        };
      }
      case "POST scripts deployments": {
        const [{ version_id: id } = { version_id: "" }] = deployment.parse(JSON.parse(body.toString())).versions;
        const version = this.#waiting.get(id);
        if (version === undefined) return notFound(id);
        await this.#run(name, version);
        return { result: { id } };
      }
      case "PATCH scripts script-settings":
        return { result: {} };
      default:
        return notFound(`${method} ${pathname}`);
    }
  }

  /** @throws if Cloudflare would refuse it */
  async #uploaded(name: string, type: string, body: Buffer): Promise<Script> {
    const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData();
    const given = metadata.parse(JSON.parse(String(form.get("metadata"))));
    const modules = new Map<string, string>();
    for (const [part, value] of form) if (value instanceof File) modules.set(part, await value.text());
    if (!modules.has(given.main_module)) throw new Error(`there is no module ${given.main_module}`);
    const before = this.scripts.get(name);
    const { migrations } = given;
    const steps = [
      migrations?.new_sqlite_classes ?? [],
      ...(migrations?.steps ?? []).map((each) => each.new_sqlite_classes),
    ];
    const classes = [...(before?.classes ?? []), ...steps.flat()];
    if (new Set(classes).size !== classes.length) throw new Error(`a class is created twice: ${classes.join(", ")}`);
    for (const binding of given.bindings) {
      if (binding.type === "durable_object_namespace" && !classes.includes(binding.class_name)) {
        throw new Error(`no migration creates the class ${binding.class_name}`);
      }
    }
    return {
      ...{ metadata: given, modules, classes, migrationTag: migrations?.new_tag ?? before?.migrationTag },
      ...{ versionId: this.#newVersion(), isReachable: before?.isReachable ?? false },
    };
  }

  async #run(name: string, script: Script): Promise<void> {
    this.scripts.set(name, script);
    const {
      bindings,
      main_module: main,
      compatibility_date: compatibilityDate,
      compatibility_flags: flags,
    } = script.metadata;
    const texts = bindings.flatMap((each) =>
      each.type === "plain_text" || each.type === "secret_text" ? [[each.name, each.text] as const] : [],
    );
    const objects = bindings.flatMap((each) =>
      each.type === "durable_object_namespace" ? [[each.name, each.class_name] as const] : [],
    );
    const version = bindings.find(({ type }) => type === "version_metadata");
    const worker: UploadedWorker = {
      modules: new Map([...script.modules].sort(([a], [b]) => Number(b === main) - Number(a === main))),
      ...{
        compatibilityDate,
        compatibilityFlags: flags,
        objects: Object.fromEntries(objects),
        texts: Object.fromEntries(texts),
      },
      version: version && { binding: version.name, id: script.versionId },
    };
    await this.cloud.run(worker);
  }

  #newVersion(): string {
    return `00000000-0000-4000-8000-${String(++this.#versions).padStart(12, "0")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.cloud[Symbol.asyncDispose]();
  }
}

function notFound(what: string, code = 7003) {
  return { status: 404, error: { code, message: `not found: ${what}` } };
}

function serviceOf(name: string, { migrationTag }: Script) {
  const at = "2026-11-30T00:00:00.000000Z";
  const script = {
    ...{ id: name, tag: name, etag: "etag", handlers: ["fetch"], modified_on: at, created_on: at },
    ...{ migration_tag: migrationTag, usage_model: "standard", last_deployed_from: "wrangler" },
  };
  const environment = { environment: "production", created_on: at, modified_on: at, script };
  return { id: name, created_on: at, modified_on: at, default_environment: environment, environments: [environment] };
}
