import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../command.ts";
import { checkedArgs, withAlias } from "../component.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { checkedSize } from "../secrets/local.ts";
import { claimedInstallation, statedEnvironment, thisInstallation } from "../stack/installation.ts";
import type { DeclaredSeedAgent } from "./declared.ts";
import { type SeedAgentChangelingOptions, seedAgentOf } from "./from-program.ts";
import { recordDrift } from "./installed.ts";
import { currentRelease } from "./release.ts";
import {
  environmentOfSeedAgent,
  type SeedAgentValues,
  seedAgentEnvironment,
  specOfSeedAgent,
} from "./seed-agent-environment.ts";

/** Arguments of a seed agent. Omitted options have the defaults of the fleet file (changelings/REFERENCE.md). */
export interface SeedAgentChangelingArgs extends SeedAgentChangelingOptions {
  /** Values of its secrets by variable name; a secret without a value is not set. */
  readonly secretValues?: Readonly<Record<string, pulumi.Input<string>>>;
}

/** For a changeling that `loadFleet` resolved: it is not validated again. */
export interface ResolvedSeedAgentArgs extends Pick<SeedAgentChangelingArgs, "secretValues"> {
  readonly declared: DeclaredSeedAgent;
  /** The observed drift. Without it, only the record on this machine is compared. */
  readonly observed?: { readonly drift: string | undefined };
}

/**
 * A seed agent (spec 003): its credentials, generated once and stored encrypted in the stack, and its nodes.
 *
 * @example
 * new SeedAgentChangeling("sprout", { provider: "docker", mode: "propose", goal: "goal.md" });
 *
 * @throws pulumi.InputPropertiesError with all errors in its args
 */
export class SeedAgentChangeling extends pulumi.ComponentResource {
  /** The resolved options, including defaults. */
  readonly declared: DeclaredSeedAgent;
  /** The origin of its endpoints as seen from the machine that ran `up`; empty if that machine can't reach them. */
  readonly url: pulumi.Output<string>;

  constructor(
    name: string,
    args: SeedAgentChangelingArgs | ResolvedSeedAgentArgs = {},
    opts: pulumi.ComponentResourceOptions = {},
  ) {
    const { secretValues = {}, ...options } = args;
    const { renamedFrom } = "declared" in options ? options.declared : options;
    super("changelings:seed-agent:SeedAgentChangeling", name, {}, withAlias(opts, renamedFrom));
    this.declared =
      "declared" in options ? options.declared : checkedArgs(`changeling "${name}"`, () => seedAgentOf(name, options));
    const aliased = (suffix: string) => withAlias({ parent: this }, renamedFrom && `${renamedFrom}-${suffix}`);
    const credentials = scriptCommand(
      `${name}-credentials`,
      {
        command: "seed-agent-credentials",
        environment: { ROTATE: String(this.declared.rotate) },
        keepsOutput: true,
        drift: undefined,
      },
      aliased("credentials"),
    );
    const installation = thisInstallation();
    const service = scriptCommand(
      `${name}-service`,
      {
        command: "seed-agent",
        environment: {
          ...environmentOfSeedAgent(this.declared, { installation, release: currentRelease() }),
          ...seedAgentEnvironment.named({ installation: claimedInstallation() }),
        },
        secretEnvironment: {
          VALUES: pulumi.jsonStringify(secretValues).apply((values) => checkedSize(name, values)),
          CREDENTIALS: credentials.stdout,
        },
        drift: "observed" in options && options.observed !== undefined ? options.observed.drift : this.#recordDrift(),
      },
      aliased("service"),
    );
    // The Command's output contains no secret.
    this.url = pulumi.unsecret(service.stdout).apply(urlIn);
    this.registerOutputs({ url: this.url });
  }

  #recordDrift(): string | undefined {
    const stated = statedOf(this.declared, statedEnvironment);
    if (stated === undefined) return undefined;
    const spec = specOfSeedAgent(stated);
    return recordDrift(installationPaths(thisInstallation()), spec.name, spec);
  }
}

/** What the last `up` deployed of a seed agent, perhaps under its former name; undefined if it was not deployed. */
export function statedOf(
  { name, renamedFrom }: Pick<DeclaredSeedAgent, "name" | "renamedFrom">,
  environmentOf: (command: string) => Readonly<Record<string, unknown>> | undefined,
): SeedAgentValues | undefined {
  const names = renamedFrom === undefined ? [name] : [name, renamedFrom];
  const [environment] = names.flatMap((each) => environmentOf(`${each}-service`) ?? []);
  return environment === undefined ? undefined : seedAgentEnvironment.schema.safeParse(environment).data;
}

function urlIn(stdout: string): string {
  try {
    const { url } = JSON.parse(stdout);
    return typeof url === "string" ? url : "";
  } catch {
    return "";
  }
}
