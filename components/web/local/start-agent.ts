import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fallbackIdentity, gitIn } from "../../git/git.ts";
import { withSecretFile } from "../../host/secret-file.ts";
import { provisionArguments } from "../../mngr/arguments.ts";
import { type Mngr, MngrError } from "../../mngr/client.ts";
import { agentSettings } from "../agent/settings.ts";
import { digestOfSpec } from "../agent/spec.ts";
import { agentVariables } from "../agent/variables.ts";
import type { Deployed, WebUpdate } from "../life-cycle/agent-host.ts";
import { prepareCommand } from "../life-cycle/await-servers.ts";
import { labelsOf } from "../life-cycle/web-agents.ts";
import { writeRepoFiles } from "../repo/repo-files.ts";
import { awaitServersHere } from "./servers.ts";

export interface StartOptions {
  readonly installation: string;
  readonly mngr: Mngr;
  readonly env: Readonly<Record<string, string>>;
  /** mngr's folder of the agent. */
  readonly folder: string;
}

/**
 * Creates the agent as specified, or stops it and provisions it again. Returns when it serves.
 *
 * @throws MngrError, NotUp
 */
export async function startAgent(
  { spec, record, secrets }: WebUpdate,
  { mngr, installation, env, folder }: StartOptions,
): Promise<Deployed> {
  const git = gitIn(record.repo, env);
  const { template, files: settings } = await agentSettings(git, "HEAD", spec);
  writeRepoFiles(record.repo, spec);
  const memory = join(spec.memoryInGit ? record.repo : record.data, "memory");
  for (const folder of [record.data, memory]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const args = provisionArguments({
    agent: record.agentName,
    id: record.agentId,
    folder: record.repo,
    template,
    type: spec.agentType,
    labels: { ...labelsOf(spec, installation), changeling_digest: digestOfSpec(spec) },
    envFile: "/dev/fd/3",
    prepare: prepareCommand,
    buildArgs: spec.buildArgs,
    agentArgs: spec.agentArgs,
  });
  const committer = await fallbackIdentity(git, spec.name);
  const variables = agentVariables(spec, { data: record.data, memory }, committer, secrets);
  const create = () => withSecretFile(variables, (file) => mngr.create(args, { settings, file }));
  const { hostId } = await create().catch((error: unknown) => {
    // The `mngr create` of a killed update finished in the meantime.
    if (error instanceof MngrError && /already exists/.test(error.message)) return create();
    throw error;
  });
  const { startTimeoutSeconds: timeoutSeconds } = spec;
  const servers = await awaitServersHere(mngr, { agentId: record.agentId, folder, timeoutSeconds });
  return { servers, hostAddress: `${record.agentId}@${hostId ?? "localhost"}.local` };
}
