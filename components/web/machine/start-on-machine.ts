import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fallbackIdentity, gitIn } from "../../git/git.ts";
import { withSecretFile } from "../../host/secret-file.ts";
import {
  createOnMachineArguments,
  type MachineAgentOptions,
  provisionOnMachineArguments,
} from "../../mngr/machine-arguments.ts";
import type { WebRecord } from "../agent/record.ts";
import { agentSettings } from "../agent/settings.ts";
import { digestOfSpec, type WebSpec } from "../agent/spec.ts";
import { agentVariables } from "../agent/variables.ts";
import type { Deployed } from "../life-cycle/agent-host.ts";
import { prepareCommand } from "../life-cycle/await-servers.ts";
import { labelsOf } from "../life-cycle/web-agents.ts";
import { settingsText } from "../repo/repo-files.ts";
import { awaitUp } from "./await-up.ts";
import { base64, scriptInMachine } from "./in-machine.ts";
import { dataFolder, type MachineWeb, repoFolder } from "./machine-web.ts";

const hook = fileURLToPath(new URL("../repo/post-commit.sh", import.meta.url));

export interface StartOnMachine {
  readonly spec: WebSpec;
  readonly record: WebRecord;
  /**
   * The temporary repo. On a new machine it becomes the agent's folder; on an existing one it only identifies the
   * agent.
   */
  readonly repo: string;
  /** The machine's name; the machine is created if it does not exist. */
  readonly host: string;
  readonly isNew: boolean;
  /** Values by variable name. */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Creates the agent as specified on its machine, or stops it and provisions it again there. Returns when it serves.
 *
 * @param onCreated called when its machine exists, before the agent serves
 * @throws MngrError, NotUp
 */
export async function startOnMachine(
  start: StartOnMachine,
  web: MachineWeb,
  onCreated: (hostAddress: string) => Promise<void>,
): Promise<Deployed> {
  const { spec, record, host, isNew, repo } = start;
  const { mngr } = web;
  const { template, files: settings } = await agentSettings(gitIn(repo, web.env), "HEAD", spec);
  const options = { ...(await agentOptions(start, web)), template };
  const args = isNew
    ? createOnMachineArguments({ ...options, ...(await hostOptions(start, web)) })
    : provisionOnMachineArguments(options);
  const variables = await environmentOf(start, web);
  const { hostId } = await withSecretFile(variables, (file) =>
    mngr.create(args, { settings, file, variables: isNew ? buildSecrets(start) : {} }),
  );
  if (hostId === undefined) throw new Error(`mngr did not report which machine ${host} is`);
  const hostAddress = `${record.agentId}@${hostId}.${web.provider}`;
  await onCreated(hostAddress);
  return { hostAddress, servers: await awaitUp(mngr, hostAddress, spec.startTimeoutSeconds) };
}

/**
 * Sets up, for a running agent, the remote that its commits are pushed to, as `startOnMachine` does.
 * @throws MngrError, or an error with what its machine says
 */
export async function linkRemoteOn(address: string, spec: WebSpec, web: MachineWeb): Promise<void> {
  const { results, failed } = await web.mngr.exec([address], await preparation(spec, web));
  const [result] = results;
  if (result?.success) return;
  throw new Error(`the remote of ${spec.name} could not be set: ${result?.stderr.trim() ?? failed[0]?.error}`);
}

/** Prepares the agent's repo in its machine; repeating it changes nothing. */
async function preparation(spec: WebSpec, { machines }: MachineWeb): Promise<string> {
  const { name, remote } = spec;
  const link = remote === undefined ? ["", "", ""] : [remote, `changelings/${name}`, readFileSync(hook, "utf8")];
  const texts = [settingsText(spec) ?? "", ...link, await machines.admittedKeys()];
  return scriptInMachine("prepare.sh", texts.map(base64));
}

async function agentOptions(
  { spec, record, repo, host }: StartOnMachine,
  web: MachineWeb,
): Promise<Omit<MachineAgentOptions, "template">> {
  return {
    provider: web.provider,
    agent: record.agentName,
    id: record.agentId,
    host,
    source: repo,
    type: spec.agentType,
    labels: {
      ...labelsOf(spec, web.installation),
      ...web.labels,
      changeling_digest: digestOfSpec(spec),
    },
    envFile: "/dev/fd/3",
    prepare: `${await preparation(spec, web)} && { ${prepareCommand}; }`,
    agentArgs: spec.agentArgs,
  };
}

async function hostOptions({ spec, record, repo, host }: StartOnMachine, { machines, labels }: MachineWeb) {
  const volumes = { [dataFolder]: record.data, [repoFolder]: record.repo };
  return {
    branch: spec.branch,
    folder: repoFolder,
    // These labels find it without mngr.
    hostLabels: { CREATOR: "changeling", changeling: spec.name, changeling_kind: "web", ...labels },
    ...(await machines.argumentsFor({ spec, host, repo, volumes })),
  };
}

/** Secrets for the image build; mngr takes their values from its environment. */
function buildSecrets({ spec, secrets }: StartOnMachine): Record<string, string> {
  const names = spec.buildArgs.flatMap((each) => /^secret=(.+)$/.exec(each)?.[1] ?? []);
  return Object.fromEntries(names.flatMap((name) => (secrets[name] === undefined ? [] : [[name, secrets[name]]])));
}

async function environmentOf({ spec, repo, secrets }: StartOnMachine, { env }: MachineWeb): Promise<string> {
  const memory = `${spec.memoryInGit ? repoFolder : dataFolder}/memory`;
  const identity = existsSync(repo) ? await fallbackIdentity(gitIn(repo, env), spec.name) : {};
  // As root, Claude Code only runs if this declares a sandbox.
  return agentVariables(spec, { data: dataFolder, memory }, { IS_SANDBOX: "1", ...identity }, secrets);
}
