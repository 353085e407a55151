/** Deploys or removes the app of a cron changeling on Modal: the `<name>-app` Command. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { stockChangeling } from "../../../changelings/stock.ts";
import { commandScript } from "../../command-script.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { canonicalJson } from "../../lib/json.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { absolutePath } from "../../lib/portable-path.ts";
import { modalClient } from "../../modal/client.ts";
import { currentIds, deployedFile, deployedFolder, parseDeployedFile } from "../../modal/deployed-ids.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { appName, homeVolumeName } from "../../modal/names.ts";
import { modalToken } from "../../modal/token.ts";
import type { DeployedIds, Modal } from "../../modal/types.ts";
import { ensureTarball } from "../../source/tarball.ts";
import { removeAgentSecrets } from "./agent-secrets.ts";
import { type AppValues, appEnvironment, specOfApp } from "./app-environment.ts";
import { endRuns } from "./end-runs.ts";
import { buildPinnedImage } from "./pinned-build.ts";
import { programFolder, programRequirements } from "./program-files.ts";
import { type AppSpec, specFile, tagOf } from "./spec.ts";

/** A cold container has to pull an image and query the versions of its tools. */
const checkSeconds = 300;

/** The result of the function `check`. */
const checked = z.object({ ok: z.boolean(), problems: z.array(z.string()) });

export default commandScript({
  variables: appEnvironment.schema,
  keeps: isModalVariable,
  // Building the agent's image may take half an hour, and the app's own as long.
  timeoutSeconds: 4200,
  async apply(declared) {
    const client = clientOf(process.env);
    const spec = specOfApp(declared, stockChangeling(declared.agentType));
    if (declared.renamedFrom !== undefined) await removeApp(client, declared, declared.renamedFrom);
    const tarball = await tarballOf(declared);
    // Build first: if the image fails to build, the deployed app stays unchanged.
    if (tarball !== undefined) await buildPinnedImage(client, spec, tarball);
    const ids = await idsFor(client, spec);
    await deploy(client, spec, tarball);
    await recordDeployment(client, spec, ids);
    const version = await deployedVersion(client, spec);
    if (declared.verify === "call") await verify(client, spec);
    return { app: spec.appName, version };
  },
  async remove(declared) {
    await removeApp(clientOf(process.env), declared, declared.name);
    return { removed: appName(declared.stack, declared.name) };
  },
});

function clientOf(env: NodeJS.ProcessEnv): Modal {
  return modalClient({ token: modalToken(env), env });
}

/** The path of the tarball. It is built here if this machine's cache does not contain it. */
async function tarballOf(declared: AppValues): Promise<string | undefined> {
  const { tarballOf: of, commit, historyDepth = 1, repo: origin, branch, token } = declared;
  if (of === undefined || commit === undefined) return undefined;
  const repo = isRepoUrl(of) ? of : absolutePath(of, { project: process.cwd(), home: homedir() });
  return ensureTarball({ repo, commit, branch, origin, historyDepth }, { token });
}

async function deploy(client: Modal, spec: AppSpec, tarball: string | undefined): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "changeling-app-"));
  try {
    const file = join(folder, "spec.json");
    writeFileSync(file, canonicalJson(spec), { mode: 0o600 });
    await client.deploy(join(programFolder, "app.py"), {
      name: spec.appName,
      environment: spec.environment,
      tag: tagOf(spec),
      variables: {
        CHANGELING_SPEC: file,
        CHANGELING_REQUIREMENTS: programRequirements,
        ...(tarball === undefined ? {} : { CHANGELING_TARBALL: tarball }),
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Read before the deployment: if an id is replaced meanwhile, that shows as drift and the next `up` deploys again. */
async function idsFor(client: Modal, { stack, name, environment, secrets: own }: AppSpec): Promise<DeployedIds> {
  const [secrets, volumes] = await Promise.all([client.secrets(environment), client.volumes(environment)]);
  const idsByName = (all: readonly { readonly name: string; readonly id: string }[]) =>
    new Map(all.map(({ name, id }) => [name, id]));
  const live = { secrets: idsByName(secrets), volumes: idsByName(volumes) };
  const ids = currentIds({ stack, name, hasSecrets: own.length > 0 }, live);
  if (ids !== undefined) return ids;
  throw new Error(
    `a Secret or a volume that ${name} needs is missing in ${environment}; repair it with: ${upCommand()}`,
  );
}

/** Written last, so that readers see what is deployed even if a deployment fails. */
async function recordDeployment(client: Modal, spec: AppSpec, ids: DeployedIds): Promise<void> {
  const { stack, name, environment } = spec;
  const file = deployedFile(name, ids);
  const files = { [specFile(name)]: canonicalJson(spec), [file]: "{}\n" };
  await client.writeFiles(homeVolumeName(stack), environment, files);
  await removeDeployedFiles(client, spec, (path) => path !== file);
}

async function removeDeployedFiles(
  client: Modal,
  { stack, name, environment }: Pick<AppSpec, "stack" | "name" | "environment">,
  isOld: (path: string) => boolean,
): Promise<void> {
  const home = homeVolumeName(stack);
  const files = await client.files(home, environment, deployedFolder);
  const old = files.filter(({ path }) => parseDeployedFile(path)?.name === name && isOld(path));
  await Promise.all(old.map(({ path }) => client.removeFile(home, environment, path)));
}

/** Asks Modal itself, because the client's exit status does not prove a deployment. */
async function deployedVersion(client: Modal, { appName: name, environment }: AppSpec): Promise<number> {
  const app = (await client.apps(environment)).find((each) => each.name === name);
  if (app?.state !== "deployed") {
    throw new Error(`modal deploy ended well, but Modal shows the app ${name} as ${app?.state ?? "not there"}`);
  }
  const [last] = await client.history(app.id);
  if (last === undefined) throw new Error(`modal deploy ended well, but the app ${name} has no deployment`);
  return last.version;
}

async function verify(client: Modal, { appName: app, environment }: AppSpec): Promise<void> {
  const call = { app, function: "check", environment, arguments: {} };
  const answer = checked.parse(await client.call(call, { timeoutSeconds: checkSeconds }));
  if (answer.ok) return;
  throw new Error(`${app} is deployed, but its container says: ${answer.problems.join("; ")}`);
}

/** Stops the app and ends its runs. Records and stopped agents are kept. */
async function removeApp(
  client: Modal,
  { stack, environment }: Pick<AppValues, "stack" | "environment">,
  name: string,
): Promise<void> {
  // Somebody deleted the whole environment.
  if (!(await client.environments()).includes(environment)) return;
  await client.stopApp(appName(stack, name), environment);
  await endRuns(client, { stack, environment, changeling: name });
  await removeAgentSecrets(client, { stack, environment, changeling: name });
  await client.removeFile(homeVolumeName(stack), environment, specFile(name));
  await removeDeployedFiles(client, { stack, name, environment }, () => true);
}
