import type { Agent } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import type { Provider } from "../options.ts";
import type { Servers } from "./await-servers.ts";
import type { WebAgents } from "./web-agents.ts";

/**
 * Where a provider's web agents run: on this machine, or each on a separate machine. The code in this folder only uses this
 * interface and is the same for all providers. The suite in test/contracts/web-machines.ts tests each provider.
 */
export interface AgentHost extends Pick<WebAgents, "paths" | "log"> {
  readonly provider: Provider;
  readonly records: WebRecords;
  /** Called first. Rejects an unusable mngr, and ends the agent in the mngr profile that it no longer uses. */
  begin(spec: WebSpec, former: string | undefined): Promise<void>;
  /** All agents that mngr lists there. */
  agents(): Promise<readonly PlacedAgent[]>;
  /** @throws if mngr could not give the agent its name */
  checkName(record: WebRecord, agents: readonly PlacedAgent[]): void;
  rename(agent: PlacedAgent, name: string): Promise<void>;
  /** Stops an agent so that it can start again as it is; succeeds if it is stopped. */
  stop(agent: PlacedAgent): Promise<void>;
  /**
   * For an agent that is as declared: starts it if that needs no provisioning, and sets up the declared remote.
   *
   * @returns its servers; empty if it has to be deployed again
   */
  resumed(update: WebUpdate, agent: PlacedAgent): Promise<Servers>;
  /**
   * Brings the declared state into the agent's repo, and starts the agent with it.
   *
   * @param agent undefined if there is none
   * @throws MergeRefused if its commits or changes conflict, and it runs as before; another error if it does not come up.
   * The error contains what runs now
   */
  deploy(update: WebUpdate, agent: PlacedAgent | undefined): Promise<Deployed>;
  /** Called when a deployment is recorded. @param agent as it was before */
  finish(update: WebUpdate, agent: PlacedAgent | undefined, deployed: Deployed): Promise<void>;
  /**
   * Destroys the agent, but not its repo and data. Succeeds if it is gone.
   * @returns its id; undefined if unknown
   */
  destroy(name: string, record: WebRecord | undefined): Promise<string | undefined>;
  /** Deletes the repo and the data. */
  deleteData(record: WebRecord): Promise<void>;
  /** What `deleteData` deletes, for messages. */
  readonly dataWords: string;
  /** What is kept of a removed agent, and the words for it; undefined words if nothing is kept. */
  kept(record: WebRecord): { readonly repo?: string; readonly data?: string; readonly words: string | undefined };
}

/** Where a provider keeps the records of web agents. */
export interface WebRecords {
  /**
   * @returns undefined if there is none
   * @throws if it is not a record
   */
  read(name: string): Promise<WebRecord | undefined>;
  write(record: WebRecord): Promise<void>;
  /** Succeeds if there is none. */
  remove(name: string): Promise<void>;
  /** The initial record of a changeling. No other changeling uses its repo. @param agents that mngr lists */
  first(name: string, agents: readonly Agent[]): Promise<Pick<WebRecord, "agentId" | "repo">>;
  /** The default location of the data that belongs to this repo. */
  dataBeside(repo: string): string;
}

/** An agent together with its host. */
export type PlacedAgent = Agent & { readonly host: NonNullable<Agent["host"]> };

/** The target state of one agent. */
export interface WebUpdate {
  readonly spec: WebSpec;
  readonly record: WebRecord;
  /** Values by variable name. */
  readonly secrets: Readonly<Record<string, string>>;
}

export interface Deployed {
  readonly servers: Servers;
  /** mngr's address of the agent, so that mngr asks only this host. */
  readonly hostAddress: string;
  /** The machine's name; undefined for this one. */
  readonly host?: string;
}
