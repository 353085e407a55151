import { upCommand } from "../../../lib/own-commands.ts";

const tokenVariable = "CLOUDFLARE_API_TOKEN";
/** URLs of Cloudflare's API and of the worker, for proxies and tests. They are not secret. */
const apiVariable = "CLOUDFLARE_API_BASE_URL";
const workerVariable = "CHANGELINGS_WORKER_URL";

/** Whether the worker's Command needs this environment variable of `pulumi up`. */
export function isCloudflareVariable(name: string): boolean {
  return [tokenVariable, apiVariable, workerVariable].includes(name);
}

/** Environment variables for wrangler, without the token. */
export function cloudflareVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  const value = env[apiVariable];
  return value ? { [apiVariable]: value } : {};
}

export function apiUrl(env: NodeJS.ProcessEnv): string {
  return env[apiVariable] || "https://api.cloudflare.com/client/v4";
}

export function workerUrlOverride(env: NodeJS.ProcessEnv): string | undefined {
  return env[workerVariable] || undefined;
}

/** @returns what is wrong, with the remedy; undefined if the token is set */
export function missingToken(env: NodeJS.ProcessEnv): string | undefined {
  if (env[tokenVariable]) return undefined;
  const remedy = `create one with the template "Edit Cloudflare Workers" (dash.cloudflare.com/profile/api-tokens), export it and run: ${upCommand()}`;
  return `${tokenVariable} is not set; ${remedy}`;
}

/** @throws with the remedy */
export function requiredToken(env: NodeJS.ProcessEnv): string {
  const missing = missingToken(env);
  if (missing !== undefined) throw new Error(missing);
  return env[tokenVariable] ?? "";
}
