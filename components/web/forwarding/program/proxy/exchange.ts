import type { IncomingMessage, ServerResponse } from "node:http";
import { mainServerOf, type Target } from "../agents.ts";
import { callAgent, type Failure } from "./call.ts";
import { malformed } from "./failure.ts";
import { rewritableOf, sendPage } from "./path-documents.ts";
import { answerProblem, type Problem, statusOf, wantsPage } from "./problem.ts";
import { respond } from "./respond.ts";
import type { OtherServer } from "./route.ts";
import type { Context, ProxyRequest, Upgraded } from "./types.ts";

type Online = Extract<Target, { kind: "online" }>;

/** Safe methods, which can be repeated (RFC 9110, 9.2.1). */
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * One request to the agent, and its response.
 *
 * @param upgraded undefined if no protocol upgrade is requested
 */
export function exchange(
  context: Context,
  req: IncomingMessage,
  res: ServerResponse,
  at: ProxyRequest,
  upgraded?: Upgraded,
): void {
  const hasBody = req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
  const isRepeatable = !hasBody && safeMethods.has(req.method ?? "");
  let hasAskedAgain = false;

  const fail = (kind: Problem["kind"], reason: string): void => {
    if (res.closed) return;
    const problem = { kind, agent: at.agent, reason };
    if (kind === "bad-gateway" || kind === "timeout") {
      // Without the query, which may contain a secret.
      const what = `${upgraded ? "WebSocket" : req.method} ${at.path.split("?", 1)[0]}`;
      context.log(`${at.agent.name} did not answer ${what}: ${reason} (${statusOf(problem)})`);
    }
    if (res.headersSent) res.destroy();
    else answerProblem(req, res, problem, context.page);
  };

  const find = async (): Promise<void> => {
    const target = await context.agents.target(at.agent.id, at.server);
    if (res.closed) return;
    if (target === undefined) {
      const name = at.server === undefined ? "no server" : `no server ${JSON.stringify(at.server)}`;
      fail("no-such-server", `it has registered ${name}`);
    } else if (target.kind === "online") {
      send(target, { isPooled: isRepeatable && upgraded === undefined });
    } else if (target.page !== undefined && asksForHome(req, at)) {
      sendPage(req, res, target.page, at.prefix);
    } else {
      fail(target.kind, target.reason);
    }
  };

  const start = (): void => {
    find().catch((error: unknown) => fail("bad-gateway", `it could not be looked up: ${String(error)}`));
  };

  const send = (target: Online, { isPooled }: { isPooled: boolean }): void => {
    const { url: upstream, socketPath, secret } = target;
    const { prefix, path, publicOrigin, added } = at;
    const others = () => otherServers(target, at);
    const route = { upstream, socketPath, secret, prefix, path, publicOrigin, added, others };
    const call = {
      route,
      hasBody,
      isPooled,
      isUpgrade: upgraded !== undefined,
      isRewritten: rewritableOf(req, at.prefix) !== undefined,
    };
    callAgent(context, req, res, call, {
      answered(incoming, outgoing) {
        try {
          respond(req, res, incoming, outgoing, route);
        } catch (error) {
          outgoing.destroy();
          fail("bad-gateway", malformed(error));
        }
      },
      upgraded: (incoming, socket, head) => upgraded?.(incoming, socket, head, route),
      failed: (failure) => recover(failure, target),
    });
  };

  const recover = (failure: Failure, target: Online): void => {
    if (res.closed) return;
    if (failure.wasReused && isRepeatable) {
      // The agent closed an idle connection just as it was reused, which is not a failure of the agent.
      send(target, { isPooled: false });
      return;
    }
    if (failure.isUnreachable) context.agents.failed(at.agent.id);
    if (failure.isUnreachable && (failure.isUnsent || isRepeatable) && !hasAskedAgain) {
      hasAskedAgain = true;
      start();
      return;
    }
    fail(failure.kind, failure.reason);
  };

  // Writing to a browser that has just disconnected is not an error.
  res.on("error", () => {});
  start();
}

/** An offline agent's page is only shown at its root. */
function asksForHome(req: IncomingMessage, { path }: ProxyRequest): boolean {
  const isRead = req.method === "GET" || req.method === "HEAD";
  return isRead && wantsPage(req) && /^\/(index\.html)?(\?|$)/.test(path);
}

function otherServers({ ports = new Map() }: Online, { publicAddressOf }: ProxyRequest): OtherServer[] {
  const main = mainServerOf([...ports.keys()]);
  return [...ports].flatMap(([name, url]) => {
    const address = publicAddressOf(name === main ? undefined : name);
    return address === undefined ? [] : [{ url, ...address }];
  });
}
