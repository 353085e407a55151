import * as z from "zod/mini";
import { messageOf } from "../../../lib/as-error.ts";
import { masked } from "../../../lib/masking.ts";
import { apiUrl, requiredToken } from "./environment.ts";
import { installationBinding, type WorkerOfInstallation } from "./wrangler-config.ts";

const requestMs = 30_000;

const answer = z.looseObject({
  success: z.boolean(),
  errors: z._default(z.array(z.looseObject({ message: z.string() })), []),
  result: z.optional(z.unknown()),
});
const settings = z.looseObject({
  bindings: z._default(z.array(z.looseObject({ name: z.string(), text: z.optional(z.string()) })), []),
});
const subdomain = z.looseObject({ enabled: z.boolean() });

type Script = Pick<WorkerOfInstallation, "accountId" | "worker">;

/** Who owns the worker of this name: an installation, somebody else (`unknown`), or nobody because there is none. */
export async function ownerOfWorker(
  script: Script,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly installation: string | "unknown"; readonly isReachable: boolean } | undefined> {
  const found = await call(script, "GET", "settings", undefined, env);
  if (found === undefined) return undefined;
  const { bindings } = settings.parse(found);
  const installation = bindings.find(({ name }) => name === installationBinding)?.text ?? "unknown";
  const { enabled } = subdomain.parse((await call(script, "GET", "subdomain", undefined, env)) ?? { enabled: false });
  return { installation, isReachable: enabled };
}

/** Makes a worker unreachable. Its code and its data stay. */
export async function makeUnreachable(script: Script, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  await call(script, "POST", "subdomain", { enabled: false, previews_enabled: false }, env);
}

/** @returns undefined if there is no such worker. @throws with Cloudflare's error message */
async function call(
  { accountId, worker }: Script,
  method: "GET" | "POST",
  what: "settings" | "subdomain",
  body: object | undefined,
  env: NodeJS.ProcessEnv,
): Promise<unknown> {
  const token = requiredToken(env);
  const response = await fetch(`${apiUrl(env)}/accounts/${accountId}/workers/scripts/${worker}/${what}`, {
    ...{ method, redirect: "error", body: body === undefined ? null : JSON.stringify(body) },
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    signal: AbortSignal.timeout(requestMs),
  }).catch((error: unknown) => {
    throw new Error(`Cloudflare's API can't be reached: ${messageOf(error)}`);
  });
  if (response.status === 404) return undefined;
  const parsed = answer.safeParse(await response.json().catch(() => undefined));
  if (parsed.data?.success === true) return parsed.data.result;
  const words = parsed.data?.errors.map(({ message }) => message).join("; ") || `status ${response.status}`;
  const remedy =
    response.status === 401 || response.status === 403
      ? "; check that CLOUDFLARE_API_TOKEN may edit workers of this account"
      : "";
  throw new Error(`Cloudflare rejects ${method} ${what} of the worker ${worker}: ${masked(words, [token])}${remedy}`);
}
