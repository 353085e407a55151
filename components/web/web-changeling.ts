import * as pulumi from "@pulumi/pulumi";
import { checkedArgs, invalidArgs, withAlias } from "../component.ts";
import type { Reported } from "./agent/command.ts";
import type { DeclaredWeb } from "./declared.ts";
import type { DockerWebs } from "./docker/observe.ts";
import { type WebChangelingOptions, webOf } from "./from-program.ts";
import type { ModalWebs } from "./modal/observe.ts";
import type { LocalWebs } from "./this-machine.ts";

/** Arguments of a web changeling. Omitted options have the defaults of the fleet file (changelings/REFERENCE.md). */
export interface WebChangelingArgs extends WebChangelingOptions {
  /** Values of the agent's secrets by variable name; a secret without a value is not set. */
  readonly secretValues?: Readonly<Record<string, pulumi.Input<string>>>;
  /** For `provider: "local"`: its observed state, from `localWebs`. */
  readonly local?: LocalWebs | undefined;
  /** For `provider: "docker"`: its observed state, from `dockerWebs`. */
  readonly docker?: DockerWebs | undefined;
  /** For `provider: "modal"`: its observed state, from `modalWebs`. */
  readonly modal?: ModalWebs | undefined;
}

/** For a changeling that `loadFleet` resolved: it is not validated again. */
export interface ResolvedWebArgs extends Pick<WebChangelingArgs, "secretValues" | "local" | "docker" | "modal"> {
  readonly declared: DeclaredWeb;
}

type ObservedByProvider = { readonly [Name in DeclaredWeb["provider"]]: WebChangelingArgs[Name] };

/**
 * A persistent agent that serves web pages: made from a git repository and updated from it, or made from scratch, and
 * reached through the stack's forwarding server (spec 001).
 *
 * @example
 * const local = await localWebs([webOf("elena", { source: "https://github.com/me/elena" })]);
 * new WebChangeling("elena", { source: "https://github.com/me/elena", local });
 *
 * @throws pulumi.InputPropertiesError with all errors in its args
 */
export class WebChangeling extends pulumi.ComponentResource {
  /** The resolved options, including defaults. */
  readonly declared: DeclaredWeb;
  /** mngr's id of its agent; undefined if it could not be created. */
  readonly agentId: Reported["agentId"];
  /** URLs of its servers by name; empty while it is stopped. */
  readonly servers: Reported["servers"];

  constructor(name: string, args: WebChangelingArgs | ResolvedWebArgs, opts: pulumi.ComponentResourceOptions = {}) {
    const { secretValues = {}, local, docker, modal, ...options } = args;
    const { renamedFrom } = "declared" in options ? options.declared : options;
    super("changelings:web:WebChangeling", name, {}, withAlias(opts, renamedFrom));
    this.declared =
      "declared" in options ? options.declared : checkedArgs(`changeling "${name}"`, () => webOf(name, options));
    const { agentId, servers } = this.#deploy({ local, docker, modal }, secretValues);
    this.agentId = agentId;
    this.servers = servers;
    this.registerOutputs({ agentId, servers });
  }

  #deploy(observedBy: ObservedByProvider, secretValues: NonNullable<WebChangelingArgs["secretValues"]>): Reported {
    const { declared } = this;
    const { name, provider } = declared;
    const observed = observedBy[provider];
    if (observed !== undefined) return observed.deploy(this, { declared, secretValues });
    const reason = `required for provider "${provider}"; pass the result of \`await ${provider}Webs(…)\``;
    throw invalidArgs(`changeling "${name}"`, [{ propertyPath: provider, reason }]);
  }
}
