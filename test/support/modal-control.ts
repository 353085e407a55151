import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";

const Step = z.object({ instruction: z.string(), argument: z.string(), outcome: z.string() });
const SecretState = z.object({
  id: z.string(),
  /** null for an unnamed one, from `Secret.from_dict`. */
  name: z.optional(z.nullable(z.string())),
  environment: z.optional(z.string()),
  /** The names of its variables. */
  keys: z.optional(z.array(z.string())),
});
const ImageLayer = z.object({
  image_id: z.string(),
  registry_tag: z.string(),
  dockerfile_commands: z.array(z.string()),
  steps: z.array(Step),
  context_mount: z.array(z.string()),
  secrets: z.array(SecretState),
  status: z.string(),
});
const FunctionState = z.object({
  name: z.string(),
  schedule: z.nullable(
    z.object({ cron: z.optional(z.object({ cron_string: z.string(), timezone: z.optional(z.string()) })) }),
  ),
  timeout_secs: z.number(),
  /** 0 means no limit. */
  max_containers: z.number(),
  /** Whether Modal may not preempt its machine. */
  nonpreemptible: z.boolean(),
  secrets: z.array(SecretState),
  volumes: z.record(z.string(), z.object({ id: z.string(), name: z.nullable(z.string()) })),
  image_id: z.string(),
  image: z.array(ImageLayer),
});
const AppState = z.object({
  app_id: z.string(),
  name: z.string(),
  environment: z.string(),
  /** "APP_STATE_DEPLOYED", "APP_STATE_STOPPED", … */
  state: z.string(),
  versions: z.array(
    z.object({ version: z.number(), deployed_at: z.number(), tag: z.string(), client_version: z.string() }),
  ),
  functions: z.array(FunctionState),
});
const CallState = z.object({
  function_call_id: z.string(),
  task_id: z.string(),
  app: z.string(),
  function: z.string(),
  trigger: z.enum(["cron", "fire", "remote", "web"]),
  /** ISO instant of the firing, for a cron. */
  scheduled_for: z.nullable(z.string()),
  /** "WAITING" (for another container of its function), "RUNNING", "GENERIC_STATUS_SUCCESS", "GENERIC_STATUS_FAILURE", … */
  status: z.string(),
  exception: z.nullable(z.string()),
  traceback: z.nullable(z.string()),
  exit_code: z.nullable(z.number()),
  /** Seconds since the epoch, like all times here. */
  started_at: z.nullable(z.number()),
  finished_at: z.nullable(z.number()),
  seconds: z.nullable(z.number()),
  /** Its container's output. */
  output: z.string(),
});
const SandboxState = z.object({
  sandbox_id: z.string(),
  app: z.string(),
  environment: z.string(),
  name: z.nullable(z.string()),
  image_id: z.string(),
  timeout_secs: z.number(),
  milli_cpu: z.number(),
  milli_cpu_max: z.number(),
  memory_mb: z.number(),
  memory_mb_max: z.number(),
  network: z.object({
    /** "OPEN", "BLOCKED" or "ALLOWLIST"; "UNSPECIFIED" from clients that don't set it. */
    type: z.string(),
    cidrs: z.array(z.string()),
    domains: z.array(z.string()),
  }),
  tags: z.record(z.string(), z.string()),
  /** Ids of volumes by mount point. */
  volumes: z.record(z.string(), z.string()),
  /** Ports of this machine by port inside. */
  ports: z.record(z.string(), z.number()),
  execs: z.array(z.array(z.string())),
  /** "RUNNING", or its result: "GENERIC_STATUS_TERMINATED", … */
  status: z.string(),
});
const State = z.object({
  apps: z.array(AppState),
  secrets: z.array(SecretState),
  volumes: z.array(z.object({ id: z.string(), name: z.string(), environment: z.string() })),
  /** Ids. */
  images: z.array(z.string()),
  environments: z.array(z.string()),
  calls: z.array(CallState),
  sandboxes: z.array(SandboxState),
});
const Schedule = z.object({
  app: z.string(),
  environment: z.string(),
  function: z.string(),
  cron: z.string(),
  timezone: z.string(),
  /** ISO instant; null if it never comes due. */
  next: z.nullable(z.string()),
});
const FaultState = z.object({ method: z.string(), times: z.number() });
const Rpc = z.object({
  index: z.number(),
  time: z.number(),
  service: z.string(),
  method: z.string(),
  /** "OK", or the name of a gRPC status. */
  outcome: z.string(),
  seconds: z.number(),
  client: z.enum(["client", "container"]),
});

export type ModalState = z.infer<typeof State>;
export type ModalCall = z.infer<typeof CallState>;
export type ModalSchedule = z.infer<typeof Schedule>;
export type ModalRpc = z.infer<typeof Rpc>;

/** An RPC that should fail, or wait. */
export interface ModalFault {
  /** The RPC's name: "AppPublish", "SandboxCreate", … */
  readonly method: string;
  /**
   * The name of a gRPC status, for instance "RESOURCE_EXHAUSTED". Without one, the RPC waits until other faults are
   * set.
   */
  readonly status?: string;
  readonly message?: string;
  /** How often, 1 by default. The client retries UNAVAILABLE, UNKNOWN and INTERNAL. */
  readonly times?: number;
}

/** The emulator's own control API, for its state and its clock. Modal has no such API. */
export class EmulatorControl {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  /** Its whole state: apps, secrets (names of keys, no values), volumes, calls, sandboxes. */
  state(): Promise<ModalState> {
    return this.#request("state", State);
  }

  /** Each live cron, with its next firing after an instant (default: now). */
  schedules(after?: Date): Promise<ModalSchedule[]> {
    return this.#request(
      after === undefined ? "schedules" : `schedules?after=${after.toISOString()}`,
      z.array(Schedule),
    );
  }

  /** Runs a deployed function now, as its schedule would. Resolves when it has ended, unless `wait` is false. */
  async fire(
    app: string,
    fn?: string,
    { environment, wait = true }: { environment?: string; wait?: boolean } = {},
  ): Promise<ModalCall> {
    const [call] = await this.#post("fire", { app, function: fn, environment, wait });
    if (call === undefined) throw new Error("the emulator started no call");
    return call;
  }

  /**
   * Starts everything that the crons make due in (from, to], in their time zones. Resolves when all have ended, unless
   * `wait` is false.
   */
  advance(from: Date, to: Date, { wait = true }: { wait?: boolean } = {}): Promise<ModalCall[]> {
    return this.#post("advance", { from: from.toISOString(), to: to.toISOString(), wait });
  }

  call(id: string): Promise<ModalCall> {
    return this.#request(`calls/${id}`, CallState);
  }

  /** The received RPCs, from an index on. */
  rpcs(since = 0): Promise<ModalRpc[]> {
    return this.#request(`rpcs?since=${since}`, z.array(Rpc));
  }

  /** Replaces the faults. Waiting RPCs continue. */
  async setFaults(faults: readonly ModalFault[]): Promise<void> {
    await this.#request("faults", z.unknown(), { method: "PUT", body: JSON.stringify(faults) });
  }

  /** Resolves when all faults have been triggered: an RPC that should wait is waiting by then. */
  async faultsCame(): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt += 1) {
      const faults = await this.#request("faults", z.array(FaultState));
      if (faults.every(({ times }) => times === 0)) return;
      await sleep(200);
    }
    throw new Error("an RPC that was to fail did not come within two minutes");
  }

  #post(path: string, body: unknown): Promise<ModalCall[]> {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return this.#request(path, z.array(CallState), init);
  }

  async #request<Shape>(path: string, shape: z.ZodMiniType<Shape>, init?: RequestInit): Promise<Shape> {
    const response = await fetch(`${this.url}/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`the emulator answers ${response.status} to ${path}: ${text}`);
    return z.parse(shape, JSON.parse(text));
  }
}
