import * as pulumi from "@pulumi/pulumi";
import { checkedArgs, invalidArgs, withAlias } from "../component.ts";
import type { DeclaredCron } from "./declared.ts";
import { type ChangelingOptions, changelingOf } from "./from-program.ts";
import { localCron } from "./local/deploy.ts";
import type { ModalPlace } from "./modal/deploy.ts";

/** Arguments of a cron changeling. Omitted options have the defaults of the fleet file (changelings/REFERENCE.md). */
export interface CronChangelingArgs extends ChangelingOptions {
  /** Values of the agent's secrets, by variable name. A secret without a value is not set. */
  readonly secretValues?: Readonly<Record<string, pulumi.Input<string>>>;
  /** mngr profile that separates the agent from the user's own agents. */
  readonly mngrProfile?: string | undefined;
  /**
   * The maximum number of concurrent runs of the stack's local changelings; the same for all of them. The default is
   * the number of CPU cores, at least 2.
   */
  readonly maxRunsAtOnce?: number | undefined;
  /** For `provider: "modal"`: the result of `modalPlace`. */
  readonly modal?: ModalPlace | undefined;
}

/** For a changeling that `loadFleet` already resolved and validated. */
export interface ResolvedCronArgs
  extends Pick<CronChangelingArgs, "secretValues" | "mngrProfile" | "maxRunsAtOnce" | "modal"> {
  readonly declared: DeclaredCron;
}

/**
 * A scheduled changeling: whenever its schedule is due, a fresh mngr agent works on a new branch of a repository and
 * then exits (spec 000).
 *
 * @example
 * new CronChangeling("fixme-fairy", { repo: "/home/me/src/app", schedule: "0 6 * * 1-5", timezone: "Europe/Berlin" });
 *
 * @example
 * const modal = await modalPlace(changelings);
 * new CronChangeling("fixme-fairy", { provider: "modal", repo: "https://github.com/me/app", modal });
 *
 * @throws pulumi.InputPropertiesError that reports all invalid arguments together
 */
export class CronChangeling extends pulumi.ComponentResource {
  /** The resolved declaration, with all defaults. */
  readonly declared: DeclaredCron;

  constructor(name: string, args: CronChangelingArgs | ResolvedCronArgs, opts: pulumi.ComponentResourceOptions = {}) {
    const { secretValues = {}, mngrProfile, maxRunsAtOnce, modal, ...options } = args;
    const { renamedFrom } = "declared" in options ? options.declared : options;
    super("changelings:cron:CronChangeling", name, {}, withAlias(opts, renamedFrom));
    this.declared =
      "declared" in options ? options.declared : checkedArgs(`changeling "${name}"`, () => changelingOf(name, options));
    if (this.declared.provider === "local") {
      localCron(this, { declared: this.declared, mngrProfile, maxRunsAtOnce, secretValues });
    } else {
      required(name, modal).deploy(this, { declared: this.declared, secretValues });
    }
    this.registerOutputs();
  }
}

function required(name: string, modal: ModalPlace | undefined): ModalPlace {
  if (modal !== undefined) return modal;
  const reason = 'required for provider "modal"; pass the result of `await modalPlace(…)`';
  throw invalidArgs(`changeling "${name}"`, [{ propertyPath: "modal", reason }]);
}
