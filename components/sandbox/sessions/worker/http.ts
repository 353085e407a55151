import * as z from "zod/mini";
import type { ErrorCode } from "../protocol.ts";
import { RequestError } from "./queue.ts";

const statusOf: Record<ErrorCode, number> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  terminated: 409,
  too_large: 413,
  over_limit: 429,
  unavailable: 503,
  failed: 500,
};

/** The longest message, with every character escaped. */
const maxBodyBytes = 1_500_000;

/** Turns an error of `work` into a response. */
export async function answered(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RequestError) return errorResponse(error.code, error.message);
    return errorResponse("failed", error instanceof Error ? error.message : String(error));
  }
}

function errorResponse(code: ErrorCode, message: string): Response {
  return Response.json({ error: { code, message } }, { status: statusOf[code] });
}

/** @throws RequestError if the body is too large, is not JSON, or does not match the schema */
export async function bodyOf<Body>(request: Request, schema: z.ZodMiniType<Body>): Promise<Body> {
  const text = await textOf(request);
  let value: unknown;
  try {
    value = JSON.parse(text === "" ? "{}" : text);
  } catch {
    throw new RequestError("bad_request", "the body is not JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const isLong = parsed.error.issues.some(({ code, path }) => code === "too_big" && path[0] === "text");
  throw new RequestError(isLong ? "too_large" : "bad_request", z.prettifyError(parsed.error));
}

/** The same request, once all of its body has arrived. @throws RequestError if that is too large */
export async function received(request: Request): Promise<Request> {
  const { method, headers, body } = request;
  if (body === null || method === "GET" || method === "HEAD") return request;
  return new Request(request.url, { method, headers, body: await textOf(request) });
}

async function textOf({ body }: Request): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    bytes += part.value.length;
    if (bytes > maxBodyBytes) {
      await reader.cancel();
      throw new RequestError("too_large", `a request may have ${maxBodyBytes} bytes`);
    }
    text += decoder.decode(part.value, { stream: true });
  }
  return text + decoder.decode();
}

/** The number of a query parameter. @throws RequestError */
export function numberIn(url: URL, name: string, otherwise: number): number {
  const text = url.searchParams.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,15}$/.test(text)) throw new RequestError("bad_request", `${name} is not a number`);
  return Number(text);
}
