import * as z from "zod/mini";
import type { problemCodes } from "./api.ts";

export type ProblemCode = (typeof problemCodes)[number];

export const statuses = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  "not found": 404,
  "method not allowed": 405,
  conflict: 409,
  "too large": 413,
  "unsupported media type": 415,
  "too many attempts": 429,
  internal: 500,
  "bad answer": 502,
  unavailable: 503,
  timeout: 408,
  full: 507,
} as const satisfies Readonly<Record<ProblemCode, number>>;

/** An error that becomes the answer to a request. Its message is for people, and contains no secret. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

const byName: Readonly<Record<string, ProblemCode>> = {
  NotFound: "not found",
  Conflict: "conflict",
  StoreUnavailable: "unavailable",
  StateFull: "full",
  DiskFull: "full",
};

/** An error of a part of the service, of Fastify, or of a validation by Fastify. */
const thrown = z.object({
  name: z.optional(z.string()),
  code: z.optional(z.string()),
  message: z.string(),
  statusCode: z.optional(z.number()),
  validationContext: z.optional(z.string()),
  validation: z.optional(z.array(z.object({ instancePath: z.string(), message: z.optional(z.string()) }))),
});

/** @returns the answer to an error; undefined if the error is internal, and belongs only into the log */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  const { success, data } = thrown.safeParse(error);
  if (!success) return undefined;
  if (data.validation !== undefined) {
    const where = data.validationContext ?? "request";
    const issues = data.validation.map(({ instancePath, message }) => {
      const path = instancePath.split("/").filter(Boolean).join(".");
      return `${where}${path === "" ? "" : ` ${path}`}: ${message ?? "is not valid"}`;
    });
    return new Problem("invalid", issues.join("; "));
  }
  const known = byName[data.name ?? ""];
  if (known !== undefined)
    return new Problem(known, data.message, known === "unavailable" ? { "retry-after": "5" } : {});
  if (data.statusCode === 413) return new Problem("too large", "The body is too large.", { connection: "close" });
  if (data.statusCode === 415) return new Problem("unsupported media type", "Send the body as application/json.");
  if (data.statusCode === 408) return new Problem("timeout", "The request took too long.", { connection: "close" });
  if (data.statusCode !== undefined && data.statusCode >= 400 && data.statusCode < 500) {
    return new Problem("invalid", data.message);
  }
  return undefined;
}
