/** Deploys or removes the worker with the sessions on Cloudflare: the `sandbox-sessions-worker` Command. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { commandScript } from "../../../command-script.ts";
import { ensureFolder } from "../../../host/files.ts";
import { installationPaths } from "../../../host/installation-paths.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { printNote } from "../../../lib/terminal.ts";
import { sessionsFolder } from "../folder.ts";
import { bundleWorker } from "../runner/bundle.ts";
import { workerFile } from "../runner/workerd-config.ts";
import { makeUnreachable, ownerOfWorker } from "./api.ts";
import { type DeployedWorker, newTokens, readDeployed, writeDeployed } from "./deployed.ts";
import { isCloudflareVariable, requiredToken, workerUrlOverride } from "./environment.ts";
import { answerOf } from "./observe.ts";
import { runWrangler } from "./wrangler.ts";
import { buildId, type WorkerOfInstallation, wranglerConfig } from "./wrangler-config.ts";

/** Cloudflare serves a new version everywhere after some seconds, and a new host name after a minute. */
const reachableMs = 180_000;
const pauseMs = 1_000;
const requestMs = 10_000;

export default commandScript({
  variables: z.object({
    ...{ INSTALLATION: z.string(), ACCOUNT_ID: z.string(), WORKER: z.string() },
    DESTROY_DATA: z.enum(["true", "false"]),
  }),
  keeps: isCloudflareVariable,
  timeoutSeconds: 1500,
  async apply(variables) {
    const of = workerOf(variables);
    requiredToken(process.env);
    const owner = await ownerOfWorker(of);
    // An unreachable worker was left by a stack that kept its data, and may be taken over.
    if (owner !== undefined && owner.installation !== of.installation) {
      if (owner.installation === "unknown") throw new Error(taken(of, "is not of a session service"));
      if (owner.isReachable)
        throw new Error(taken(of, `belongs to another stack, whose installation is ${owner.installation}`));
    }
    const folder = sessionsFolder(installationPaths(of.installation));
    ensureFolder(folder);
    const before = readDeployed(folder);
    const isSame = before?.accountId === of.accountId && before.worker === of.worker;
    const kept: DeployedWorker = isSame
      ? before
      : { version: 1, accountId: of.accountId, worker: of.worker, ...newTokens() };
    // Saved before the deployment: if it is cut off, the next `up` deploys the same tokens.
    writeDeployed(folder, kept);
    const deployed = { ...kept, ...(await deploy(of, kept)) };
    await untilReachable(of, deployed);
    writeDeployed(folder, deployed);
    printNote(`the sessions are at ${deployed.url}\n`);
    return { worker: of.worker, url: deployed.url };
  },
  async remove(variables) {
    const of = workerOf(variables);
    const owner = await ownerOfWorker(of);
    if (owner === undefined || owner.installation !== of.installation) return { worker: "gone" };
    if (variables.DESTROY_DATA === "false") {
      await makeUnreachable(of);
      printNote(`the worker ${of.worker} stays on Cloudflare with its sessions, and can't be reached any more\n`);
      return { worker: "kept" };
    }
    const config = JSON.stringify(wranglerConfig(of, "none"));
    await runWrangler(["delete", "--config", "wrangler.json", "--force"], { files: { "wrangler.json": config } });
    if ((await ownerOfWorker(of)) !== undefined) throw new Error(`the worker ${of.worker} is still there`);
    return { worker: "removed" };
  },
});

function workerOf(variables: { INSTALLATION: string; ACCOUNT_ID: string; WORKER: string }): WorkerOfInstallation {
  return { installation: variables.INSTALLATION, accountId: variables.ACCOUNT_ID, worker: variables.WORKER };
}

function taken({ worker }: WorkerOfInstallation, why: string): string {
  return `there is a worker ${worker} in this account already, which ${why}; choose another name in the fleet file: [sandboxes] worker = "…"`;
}

async function deploy(
  of: WorkerOfInstallation,
  tokens: Pick<DeployedWorker, "ownerToken" | "runnerToken">,
): Promise<{ readonly url: string; readonly versionId: string | undefined }> {
  const secrets = { OWNER_HASH: hashOf(tokens.ownerToken), RUNNER_HASH: hashOf(tokens.runnerToken) };
  const args = ["deploy", "--config", "wrangler.json", "--secrets-file", "secrets.json"];
  const deployment = await runWrangler(args, {
    files: {
      "wrangler.json": JSON.stringify(wranglerConfig(of, buildId(of))),
      "secrets.json": JSON.stringify(secrets),
      [workerFile]: await bundled(),
    },
    secrets: Object.values(secrets),
  });
  const url = workerUrlOverride(process.env) ?? deployment?.targets.find((target) => target.startsWith("https://"));
  if (url === undefined) {
    throw new Error(
      "wrangler reports no address of the worker; set up a workers.dev subdomain in Cloudflare's dashboard",
    );
  }
  return { url: new URL(url).origin, versionId: deployment?.version_id ?? undefined };
}

/**
 * Waits until the version that was deployed answers its owner. How wrangler ended does not matter.
 *
 * @throws with the last reason
 */
async function untilReachable(
  { worker, ...of }: WorkerOfInstallation,
  { url = "", ownerToken }: DeployedWorker,
): Promise<void> {
  const build = buildId({ worker, ...of });
  for (const end = Date.now() + reachableMs; ; await sleep(pauseMs)) {
    const reason = await problemOf(url, { build, ownerToken });
    if (reason === undefined) return;
    if (Date.now() > end) throw new Error(`the worker ${worker} was deployed, but does not serve at ${url}: ${reason}`);
  }
}

/** @returns undefined if the worker runs this build and accepts its owner's token */
async function problemOf(
  url: string,
  { build, ownerToken }: { readonly build: string; readonly ownerToken: string },
): Promise<string | undefined> {
  const answer = await answerOf(url);
  if ("reason" in answer) return answer.reason;
  if (answer.build !== build) return "an older version answers";
  const headers = { authorization: `Bearer ${ownerToken}` };
  const signal = AbortSignal.timeout(requestMs);
  try {
    const { status } = await fetch(`${url}/sessions`, { headers, redirect: "error", signal });
    return status === 200 ? undefined : `it answers its owner with ${status}`;
  } catch (error) {
    return messageOf(error);
  }
}

async function bundled(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-worker-"));
  try {
    await bundleWorker(join(folder, workerFile));
    return readFileSync(join(folder, workerFile), "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
