import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../command.ts";
import { checkedArgs, withAlias } from "../component.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { installedUnder } from "../host/installed-file.ts";
import { localSecrets } from "../secrets/local.ts";
import { claimedInstallation, statedEnvironment, thisInstallation } from "../stack/installation.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { type SandboxChangelingOptions, sandboxOf } from "./from-program.ts";
import { sandboxDrift, specPath } from "./installed.ts";
import { environmentOfSandbox, sandboxEnvironment, specOfSandbox } from "./sandbox-environment.ts";
import { sessionService } from "./sessions/session-service.ts";
import { memoryVolume, type SandboxSpec } from "./spec.ts";

/** Arguments of a sandbox changeling. Omitted options have the defaults of the fleet file (changelings/REFERENCE.md). */
export interface SandboxChangelingArgs extends SandboxChangelingOptions {
  /** Values of the runtime's secrets by variable name; a secret without a value is not set. */
  readonly secretValues?: Readonly<Record<string, pulumi.Input<string>>>;
  /** For provider `modal`, if the token is not in the environment of `pulumi up`. */
  readonly modalToken?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
}

/** For a changeling that `loadFleet` has resolved and validated. */
export interface ResolvedSandboxArgs extends Pick<SandboxChangelingArgs, "secretValues" | "modalToken"> {
  readonly declared: DeclaredSandbox;
}

/**
 * The long-lived parts of a repository's coding sandboxes: the base image, the memory volume, the warm snapshot, and the
 * spec from which the session service creates sandboxes (spec 004). The sandboxes themselves are created on demand, by
 * `changeling sandbox start NAME`.
 *
 * @example
 * new SandboxChangeling("example", { repo: "me/app", runtime: "claude", secretValues: { ANTHROPIC_API_KEY: key } });
 *
 * @throws pulumi.InputPropertiesError with all errors in its args
 */
export class SandboxChangeling extends pulumi.ComponentResource {
  /** The resolved options, including defaults. */
  readonly declared: DeclaredSandbox;
  /** The volume with its repository's memory. It is kept when the changeling is removed. */
  readonly memory: string;

  constructor(
    name: string,
    args: SandboxChangelingArgs | ResolvedSandboxArgs,
    opts: pulumi.ComponentResourceOptions = {},
  ) {
    const { secretValues = {}, modalToken, ...options } = args;
    const { renamedFrom } = "declared" in options ? options.declared : options;
    super("changelings:sandbox:SandboxChangeling", name, {}, withAlias(opts, renamedFrom));
    this.declared =
      "declared" in options ? options.declared : checkedArgs(`changeling "${name}"`, () => sandboxOf(name, options));
    this.memory = memoryVolume(this.declared.spec);
    const installation = thisInstallation();
    const secrets = localSecrets(this, { name, renamedFrom, installation, secretValues });
    const anchors = { project: process.cwd(), home: homedir() };
    const paths = installationPaths(installation);
    const installedName = installedUnder((each) => specPath(paths, each), { name, renamedFrom });
    scriptCommand(
      `${name}-sandbox`,
      {
        command: "sandbox",
        environment: {
          ...environmentOfSandbox(this.declared, anchors, installation),
          ...sandboxEnvironment.named({ installation: claimedInstallation() }),
        },
        ...(modalToken === undefined ? {} : { secretEnvironment: modalToken }),
        drift: sandboxDrift(paths, installedName, stated(installedName)),
      },
      withAlias(
        { parent: this, dependsOn: [sessionService().command, ...secrets] },
        renamedFrom && `${renamedFrom}-sandbox`,
      ),
    );
    this.registerOutputs({ memory: this.memory });
  }
}

/** The spec that was installed according to the stack's state; undefined if the state is unknown. */
function stated(name: string): SandboxSpec | undefined {
  const environment = statedEnvironment(`${name}-sandbox`);
  const parsed = environment === undefined ? undefined : sandboxEnvironment.schema.safeParse(environment);
  if (parsed?.success !== true) return undefined;
  return specOfSandbox(parsed.data, { project: process.cwd(), home: homedir() });
}
