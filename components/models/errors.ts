import { APICallError, InvalidArgumentError, LoadAPIKeyError } from "@ai-sdk/provider";
import * as z from "zod/mini";
import { withoutSecrets } from "../lib/literal-secrets.ts";
import { plainWords } from "../lib/text.ts";
import type { CliFailure } from "./failure.ts";
import type { CliStopped } from "./run-cli.ts";

/** Environment variables by name; an empty value counts as none. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The `data` of an APICallError of these models. */
const failureData = z.object({
  code: z.enum(["missing_api_key", "over_budget", "timeout", "failed"]),
  /** The known cost of the failed call in US dollars. */
  costUsd: z.number(),
});

/**
 * Whether a call failed for lack of a valid credential (spec 003's `missing_api_key`): there is none, or the API rejects
 * it. A retry is useless; the user has to act. Also recognizes errors that the AI SDK wrapped.
 */
export function isMissingApiKey(error: unknown): boolean {
  return (
    causes(error).some((each) => LoadAPIKeyError.isInstance(each)) ||
    failures(error).some(({ code }) => code === "missing_api_key")
  );
}

/** Whether a call was stopped because it exceeded its budget. */
export function isOverBudget(error: unknown): boolean {
  return failures(error).some(({ code }) => code === "over_budget");
}

/** The known cost of failed calls in US dollars. */
export function costOfFailure(error: unknown): number {
  return failures(error).reduce((sum, { costUsd }) => sum + costUsd, 0);
}

function failures(error: unknown): z.output<typeof failureData>[] {
  return causes(error).flatMap((each) => {
    const parsed = failureData.safeParse(APICallError.isInstance(each) ? each.data : undefined);
    return parsed.success ? [parsed.data] : [];
  });
}

const wrapper = z.object({ errors: z.optional(z.array(z.unknown())), cause: z.optional(z.unknown()) });

/** The error, and the errors that it wraps. */
function causes(error: unknown, depth = 0): unknown[] {
  const { success, data } = wrapper.safeParse(error);
  if (!success || depth > 5) return [error];
  return [error, ...(data.errors ?? []), data.cause].flatMap((each) =>
    each === error || each === undefined ? [each] : causes(each, depth + 1),
  );
}

export interface FailedCall {
  /** The CLI's name. */
  readonly name: string;
  /** The remedy for the user: how to give it a credential. */
  readonly login: string;
  /** Values that must not be in a message. */
  readonly secrets: readonly string[];
  readonly isRetryable: boolean;
  readonly costUsd: number;
}

export function callError(failure: CliFailure, call: FailedCall): APICallError | LoadAPIKeyError {
  const reason = cleaned(failure.reason, call.secrets);
  const { code, status } = failure;
  if (code === "missing_api_key" && status === undefined)
    return new LoadAPIKeyError({
      message: `missing_api_key: ${call.name} has no credential (${reason}): ${call.login}`,
    });
  const remedy = code === "missing_api_key" ? `missing_api_key: the API rejects the key: ${call.login}: ` : "";
  return apiCallError(`${remedy}${call.name}: ${reason}`, call, code, status);
}

/** For our own time limit: the API did not answer. */
export function timeoutError(stopped: CliStopped, call: FailedCall): APICallError {
  return apiCallError(stopped.message, { ...call, isRetryable: false }, "timeout", undefined);
}

function apiCallError(
  message: string,
  { name, isRetryable, costUsd }: FailedCall,
  code: z.output<typeof failureData>["code"],
  status: number | undefined,
): APICallError {
  return new APICallError({
    message,
    url: name,
    requestBodyValues: {},
    ...(status === undefined ? {} : { statusCode: status }),
    isRetryable,
    data: { code, costUsd } satisfies z.output<typeof failureData>,
  });
}

/** Like the error of `fetch`: the signal's reason, if that is an error. */
export function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException("The call was aborted.", "AbortError");
}

export function invalidVariable(name: string, message: string): InvalidArgumentError {
  return new InvalidArgumentError({ argument: name, message: `${name} ${message}` });
}

/** The message of a CLI or an API, prepared for an error: one line without control characters and secrets. */
function cleaned(text: string, secrets: readonly string[]): string {
  const open = secrets.filter(({ length }) => length >= 8).reduce((rest, each) => rest.replaceAll(each, "***"), text);
  const line = withoutSecrets(plainWords(open)).replace(/\s+/g, " ").trim();
  return line.length > 1000 ? `${line.slice(0, 500)} … ${line.slice(-499)}` : line;
}
