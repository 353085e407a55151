import { readFileSync } from "node:fs";
import * as z from "zod/mini";
import { devStack } from "../dev-stack.ts";
import type { Stack } from "../stack.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a pipeline's job runs this: its machine is gone when it ends, and its clock and its home mean nothing. */
export function isPipeline(env: Environment = process.env): boolean {
  return env["CI"] === "true";
}

/** @throws in a pipeline that names no stack; elsewhere the embedded default is meant */
export function pipelineStack(option: string | undefined, env: Environment = process.env): Stack {
  const name = option ?? env["CHANGELINGS_STACK"] ?? (isPipeline(env) ? undefined : "dev");
  if (name === undefined) throw new Error("no stack is named: set CHANGELINGS_STACK where the pipeline is declared");
  return name === "dev" ? devStack() : { name };
}

/** What opens a stack's backend or its secrets; a job has at least one, but for a pull request from a fork. */
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

/** What a pull request's job on GitHub runs for. */
export interface PullRequest {
  readonly number: number;
  /** The branch's own last commit; the job's checkout is its merge with the base. */
  readonly commit: string;
  readonly isFromFork: boolean;
}

/** @returns undefined in a job that runs for something else, or nowhere */
export function pullRequestOf(env: Environment): PullRequest | undefined {
  const file = env["GITHUB_EVENT_PATH"];
  if (file === undefined) return undefined;
  const read = z.safeParse(pullRequestEvent, JSON.parse(readFileSync(file, "utf8")));
  if (!read.success) return undefined;
  const { number, head, base } = read.data.pull_request;
  return { number, commit: head.sha, isFromFork: head.repo?.full_name !== base.repo.full_name };
}

/** A text without the values of this job's secrets: a pipeline masks them in its log, but not in a comment. */
export function withoutValues(text: string, env: Environment = process.env): string {
  const values = Object.entries(env).flatMap(([name, value = ""]) =>
    /TOKEN|SECRET|PASS|KEY|CREDENTIAL/.test(name) && value.length >= 8 && !name.endsWith("_FILE") ? [value] : [],
  );
  return values.reduce((rest, value) => rest.replaceAll(value, "***"), text);
}
