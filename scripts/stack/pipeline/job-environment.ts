import { readFileSync } from "node:fs";
import * as z from "zod/mini";
import { devStack } from "../dev-stack.ts";
import type { Stack } from "../stack.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether this runs in a pipeline's job, on a machine whose home and clock don't outlast the job. */
export function isPipeline(env: Environment = process.env): boolean {
  return env["CI"] === "true";
}

/** @throws in a pipeline that names no stack; elsewhere the embedded default applies */
export function pipelineStack(option: string | undefined, env: Environment = process.env): Stack {
  const name = option ?? env["CHANGELINGS_STACK"] ?? (isPipeline(env) ? undefined : "dev");
  if (name === undefined) throw new Error("no stack is named: set CHANGELINGS_STACK where the pipeline is declared");
  return name === "dev" ? devStack() : { name };
}

/** What unlocks a stack's backend or its secrets. A job has at least one, except for a pull request from a fork. */
const keyVariables = [
  "PULUMI_ACCESS_TOKEN",
  "PULUMI_CONFIG_PASSPHRASE",
  "PULUMI_CONFIG_PASSPHRASE_FILE",
  "AWS_ACCESS_KEY_ID",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AZURE_STORAGE_KEY",
  "AZURE_STORAGE_SAS_TOKEN",
  "AZURE_CLIENT_ID",
  "GOOGLE_CREDENTIALS",
  "GOOGLE_APPLICATION_CREDENTIALS",
] as const;

export function hasKey(env: Environment = process.env): boolean {
  return keyVariables.some((name) => env[name]);
}

const pullRequestEvent = z.object({
  pull_request: z.object({
    number: z.number(),
    head: z.object({ sha: z.string(), repo: z.nullable(z.object({ full_name: z.string() })) }),
    base: z.object({ repo: z.object({ full_name: z.string() }) }),
  }),
});

/** The pull request that a job on GitHub runs for. */
export interface PullRequest {
  readonly number: number;
  /** The last commit of the branch itself; the job's checkout is its merge with the base. */
  readonly commit: string;
  readonly isFromFork: boolean;
}

/** @returns undefined if the job runs for something else, or outside of a job */
export function pullRequestOf(env: Environment): PullRequest | undefined {
  const file = env["GITHUB_EVENT_PATH"];
  if (file === undefined) return undefined;
  const read = z.safeParse(pullRequestEvent, JSON.parse(readFileSync(file, "utf8")));
  if (!read.success) return undefined;
  const { number, head, base } = read.data.pull_request;
  return { number, commit: head.sha, isFromFork: head.repo?.full_name !== base.repo.full_name };
}

/**
 * Redacts the values of this job's secrets, and the passwords of URLs such as a backend's: a pipeline masks secrets in its
 * log, but not in a comment.
 */
export function withoutValues(text: string, env: Environment = process.env): string {
  const values = Object.entries(env).flatMap(([name, value = ""]) => {
    const isSecret = /TOKEN|SECRET|PASS|KEY|CREDENTIAL/.test(name) && value.length >= 8 && !name.endsWith("_FILE");
    return isSecret ? [value] : passwordsIn(value);
  });
  return values.reduce((rest, value) => rest.replaceAll(value, "***"), text);
}

/** The password of a URL, as it is written there and decoded. A short one is only redacted where it is a password. */
function passwordsIn(value: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(value) || !URL.canParse(value)) return [];
  const { password } = new URL(value);
  if (password === "") return [];
  return [password, decoded(password)].map((each) => (each.length < 8 ? `:${each}@` : each));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
