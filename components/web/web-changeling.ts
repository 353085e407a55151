import * as pulumi from "@pulumi/pulumi";
import { withAlias } from "../alias.ts";
import { ChangelingOptionsError, type DeclaredWeb } from "../fleet/index.ts";
import { type WebChangelingOptions, webOf } from "../fleet/web-of.ts";
import { localWeb } from "./local-web.ts";
import type { LocalWebs } from "./local-webs.ts";
import { modalWeb } from "./modal-web.ts";
import type { ModalWebs } from "./modal-webs.ts";
import type { Reported } from "./reported.ts";

/** What is declared of a web changeling. What is left out has the default of the fleet file (changelings/REFERENCE.md). */
export interface WebChangelingArgs extends WebChangelingOptions {
  /** Values of the secrets that the agent gets, by the name of their variable; a secret without a value is not set. */
  readonly secretValues?: Readonly<Record<string, pulumi.Input<string>>>;
  /** For `provider: "local"`: what stands of it, from `localWebs`. */
  readonly local?: LocalWebs | undefined;
  /** For `provider: "modal"`: where it goes, from `modalWebs`. */
  readonly modal?: ModalWebs | undefined;
}

type Places = { readonly [Place in "local" | "modal"]: WebChangelingArgs[Place] };

/**
 * A persistent agent that serves web pages: made from a git repository or from scratch, kept up to date with it, and
 * reached through the stack's forwarding server (spec 001).
 *
 * @example
 * const local = await localWebs([webOf("elena", { source: "https://github.com/me/elena" })]);
 * new WebChangeling("elena", { source: "https://github.com/me/elena", local });
 *
 * @throws pulumi.InputPropertiesError with every fault of its args at once
 */
export class WebChangeling extends pulumi.ComponentResource {
  /** What was declared, with all defaults. */
  readonly declared: DeclaredWeb;
  /** mngr's id of its agent; undefined when it could not be made. */
  readonly agentId: Reported["agentId"];
  /** Where its servers listen, by name; empty while it is stopped. */
  readonly servers: Reported["servers"];

  constructor(name: string, args: WebChangelingArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("changelings:web:WebChangeling", name, {}, withAlias(opts, args.renamedFrom));
    const { secretValues = {}, local, modal, ...options } = args;
    this.declared = checked(name, options);
    const { agentId, servers } = this.#deploy({ local, modal, secretValues });
    this.agentId = agentId;
    this.servers = servers;
    this.registerOutputs({ agentId, servers });
  }

  #deploy({ local, modal, secretValues }: Required<Pick<WebChangelingArgs, "secretValues">> & Places): Reported {
    const { declared } = this;
    if (declared.provider === "modal") {
      if (modal !== undefined) return modalWeb(this, { declared, modal, secretValues });
      throw invalid(declared.name, "modal", 'needed for provider "modal"; give it what `await modalWebs(…)` returned');
    }
    if (local !== undefined) return localWeb(this, { declared, local, secretValues });
    throw invalid(declared.name, "local", 'needed for provider "local"; give it what `await localWebs(…)` returned');
  }
}

function checked(name: string, options: WebChangelingOptions): DeclaredWeb {
  try {
    return webOf(name, options);
  } catch (error) {
    if (!(error instanceof ChangelingOptionsError)) throw error;
    throw faults(
      name,
      error.faults.map(({ option, reason }) => ({ propertyPath: option, reason })),
    );
  }
}

function invalid(name: string, propertyPath: string, reason: string): pulumi.InputPropertiesError {
  return faults(name, [{ propertyPath, reason }]);
}

function faults(name: string, errors: pulumi.InputPropertyErrorDetails[]): pulumi.InputPropertiesError {
  return new pulumi.InputPropertiesError({ message: `The changeling "${name}" is not valid.`, errors });
}
