import { createHash } from "node:crypto";
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { AgentView } from "../agents.ts";

/** Why an agent could not answer a request. */
export interface Problem {
  readonly kind: "bad-gateway" | "timeout" | "offline" | "starting" | "no-such-server";
  readonly agent: AgentView;
  /** A sentence about the agent, or its server, without the full stop. */
  readonly reason: string;
}

/** A page for a browser, with its content security policy. */
export interface ProblemPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

const statuses = { "bad-gateway": 502, timeout: 504, offline: 503, starting: 503, "no-such-server": 404 } as const;

export function statusOf({ kind }: Problem): number {
  return statuses[kind];
}

/** Responds with a page to clients that accept HTML, otherwise with JSON or text as requested. */
export function answerProblem(
  req: IncomingMessage,
  res: ServerResponse,
  problem: Problem,
  pageOf: (problem: Problem) => ProblemPage,
): void {
  const { agent, kind, reason } = problem;
  const accept = req.headers.accept ?? "";
  const page = wantsPage(req) ? pageOf(problem) : undefined;
  const [type, body] = page
    ? ["text/html; charset=utf-8", page.html]
    : /\bjson\b/.test(accept)
      ? ["application/json", `${JSON.stringify({ error: kind, agent: agent.id, name: agent.name, reason })}\n`]
      : ["text/plain; charset=utf-8", `${agent.name}: ${reason}.\n`];
  const content = Buffer.from(body);
  const status = statusOf(problem);
  // Set explicitly, because the status message of the failed response may still be set.
  res.writeHead(status, STATUS_CODES[status] ?? "", [
    ...["Content-Type", type, "Content-Length", String(content.length)],
    // The problem is temporary.
    ...["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"],
    ...(page ? ["Content-Security-Policy", page.contentSecurityPolicy] : []),
    ...(status === 503 ? ["Retry-After", "5"] : []),
  ]);
  res.end(req.method === "HEAD" ? undefined : content);
}

export function wantsPage(req: IncomingMessage): boolean {
  return /\btext\/html\b/.test(req.headers.accept ?? "");
}

const style = "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}";
const styleHash = createHash("sha256").update(style).digest("base64");

/** For a server without its own pages. */
export function plainPage({ agent, reason }: Problem): ProblemPage {
  const [name, why] = [agent.name, reason].map((text) =>
    text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`),
  );
  return {
    html: `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title><style>${style}</style><h1>${name}</h1><p>${why}.</p></html>\n`,
    contentSecurityPolicy: `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'`,
  };
}
