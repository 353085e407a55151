import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../command.ts";
import { withAlias } from "../component.ts";
import { mostBytes } from "../fleet/sizes.ts";
import { installationPaths } from "../host/installation-paths.ts";
import { installedUnder } from "../host/installed-file.ts";
import { claimedInstallation, statedEnvironment } from "../stack/installation.ts";
import { secretsDrift, secretsPath } from "./installed.ts";

export interface LocalSecretsArgs {
  readonly name: string;
  readonly renamedFrom: string | undefined;
  readonly installation: string;
  /** By variable name. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Rejects secrets that are too long for an environment variable of the Command or the agent.
 *
 * @param values of the changeling's secrets, as JSON
 * @throws pulumi.RunError if they are too long
 */
export function checkedSize(name: string, values: string): string {
  const bytes = Buffer.byteLength(values);
  if (bytes <= mostBytes) return values;
  throw new pulumi.RunError(
    `the secrets of ${name} are ${bytes} bytes long together, as JSON; the limit is ${mostBytes}. ` +
      "Pass a secret with which it can fetch the long value",
  );
}

/** Components whose secrets are installed on this machine. */
const kinds = [
  "changelings:cron:CronChangeling",
  "changelings:web:WebChangeling",
  "changelings:sandbox:SandboxChangeling",
];

/**
 * A changeling's secrets on this machine. They are a separate resource, so a rotated secret changes nothing else.
 *
 * @returns none for a changeling without secrets
 */
export function localSecrets(parent: pulumi.Resource, args: LocalSecretsArgs): pulumi.Resource[] {
  const { name, renamedFrom, installation, secretValues } = args;
  const names = Object.keys(secretValues).sort();
  if (names.length === 0) return [];
  const environment = {
    NAME: name,
    INSTALLATION: claimedInstallation(),
    SECRETS: names.join(", "),
    RENAMED_FROM: renamedFrom,
  };
  const paths = installationPaths(installation);
  const installedName = installedUnder((each) => secretsPath(paths, each), { name, renamedFrom });
  const { VALUES: stated } = statedEnvironment(`${installedName}-secrets`) ?? {};
  const drift = secretsDrift(paths, installedName, stated);
  const secretEnvironment = { VALUES: pulumi.jsonStringify(secretValues).apply((values) => checkedSize(name, values)) };
  // A changeling that changes its kind keeps its file: the old kind would remove what the new one has just written.
  const aliases = kinds.map((type) => ({ parent: pulumi.createUrn(name, type) }));
  const opts = withAlias({ parent, aliases }, renamedFrom && `${renamedFrom}-secrets`);
  return [scriptCommand(`${name}-secrets`, { command: "local-secrets", environment, secretEnvironment, drift }, opts)];
}
