import type { IncomingMessage, ServerResponse } from "node:http";
import Fastify, { type FastifyReply } from "fastify";
import * as z from "zod/mini";
import { isAgentId } from "./addresses.ts";
import { entered } from "./agent-paths.ts";
import { plainHeaders } from "./answers.ts";
import { clearCookie, cookieAgents, ourCookieNames, setCookie } from "./auth/cookies.ts";
import { FailedAttempts } from "./failed-attempts.ts";
import { isForeign, isSpeculative } from "./origin-check.ts";
import { listPage, openingPage, placeholderPage } from "./pages/list.ts";
import { codeSpentPage, loginPage } from "./pages/login.ts";
import { failurePage, logoutPage, notFoundPage, tooManyPage } from "./pages/notices.ts";
import { pageHeaders } from "./pages/page.ts";
import type { ServerContext } from "./server-context.ts";

const agentId = z.string().check(z.refine(isAgentId));
const login = z.object({ agent_id: agentId, one_time_code: z.string().check(z.regex(/^[\w-]{1,128}$/)) });
const logout = z.object({ agent_id: agentId });
const loginKey = z.string().check(z.regex(/^[\w-]{43}$/));
/** The login keys that the main origin's page keeps. */
const shown = z.object({ keys: z.array(z.tuple([agentId, loginKey])).check(z.maxLength(1000)) });
const enterFrom = z.object({ agent_id: agentId, key: loginKey, from: z.string() });

/** The main origin's own pages according to spec 002: `/`, `/login`, `/authenticate`; and `/logout`. */
export async function createMainPages(
  context: ServerContext,
): Promise<(req: IncomingMessage, res: ServerResponse) => void> {
  const { access, agents, connections, log } = context;
  const hasAgentHosts = context.addresses.routing === "host";
  const app = Fastify({ logger: false, bodyLimit: 4096 });
  const failures = { login: new FailedAttempts(), authenticate: new FailedAttempts() };
  const refuse = (reply: FastifyReply, of: keyof typeof failures, agentId?: string) => {
    const seconds = failures[of].fail(context.proxies.clientOf(reply.request.raw));
    if (seconds === undefined) return sendPage(reply, 403, codeSpentPage(context.cli, agentId));
    return sendPage(reply.header("retry-after", seconds), 429, tooManyPage());
  };

  // The form of `/logout` has all data in its URL.
  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, _body, done) =>
    done(null),
  );
  app.addHook("onRequest", async (request, reply) => {
    if (!isForeign(request.raw, (origin) => origin === context.addresses.main)) return;
    return reply.code(403).headers(plainHeaders).send("This request comes from another site’s page.\n");
  });
  app.setNotFoundHandler((_request, reply) => sendPage(reply, 404, notFoundPage()));
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status < 500) return reply.code(status).headers(plainHeaders).send("This request is invalid.\n");
    log(`${request.method} ${request.routeOptions.url ?? "?"} failed: ${error instanceof Error ? error.stack : error}`);
    return sendPage(reply, 500, failurePage());
  });

  const loggedIn = (cookie: string | undefined) =>
    new Set(cookieAgents(cookie).filter((id) => access.session(id, "main", cookie) !== undefined));
  /**
   * If agents share an origin, a browser without other logins is redirected to its agent. Otherwise the page's script
   * does that.
   */
  const afterLogin = (id: string, cookie: string | undefined) =>
    [...loggedIn(cookie)].some((other) => other !== id) ? "/" : `/${id}/`;

  const listFor = (ids: ReadonlySet<string>): string => {
    // Listing agents makes the server look for them, so only logged-in clients may cause it.
    const mine = (ids.size === 0 ? [] : agents.list())
      .filter(({ id }) => ids.has(id))
      .sort((one, other) => one.name.localeCompare(other.name));
    return mine.length === 0 ? placeholderPage(context.cli) : listPage(mine, context.cli);
  };

  app.get("/", (request, reply) => {
    const { cookie } = request.headers;
    // Other ports of this host receive the cookie too. So the page's script has to show the keys to get the list.
    if (hasAgentHosts) {
      return sendPage(
        reply,
        200,
        ourCookieNames(cookie).length === 0 ? placeholderPage(context.cli, true) : openingPage(),
      );
    }
    return sendPage(reply, 200, listFor(loggedIn(cookie)));
  });

  app.post("/agents", { bodyLimit: 256 * 1024 }, (request, reply) => {
    const { data } = shown.safeParse(request.body);
    if (data === undefined || !hasAgentHosts)
      return reply.code(400).headers(plainHeaders).send("The body must be a list of keys.\n");
    const { cookie } = request.headers;
    // Looks up each agent's login only once, however often the body repeats the agent.
    const keys = [...Map.groupBy(data.keys, ([id]) => id)].flatMap(([id, own]) => {
      const session = access.session(id, "main", cookie);
      return session === undefined ? [] : own.filter(([, key]) => access.isLoginKey(id, session, key));
    });
    const proven = new Set(keys.map(([id]) => id));
    const names = new Set([...proven].map((id) => access.cookieName(id)));
    // A cookie without its key is useless, and would keep a login URL from being used.
    const spent = ourCookieNames(cookie).filter((name) => !names.has(name));
    for (const name of spent) reply.header("set-cookie", clearCookie(name));
    return reply.headers(jsonHeaders).send({ keys, html: listFor(proven) });
  });

  const enteredBy = ({ agent_id: id, key, from }: z.infer<typeof enterFrom>, cookie: string | undefined) => {
    const session = access.session(id, "main", cookie);
    const isProven = session !== undefined && access.isLoginKey(id, session, key);
    return isProven ? entered(context, session, id, from) : undefined;
  };
  app.post("/enter", (request, reply) => {
    const { data } = enterFrom.safeParse(request.body);
    const location = data && enteredBy(data, request.headers.cookie);
    if (location === undefined) return reply.code(403).headers(plainHeaders).send("Log in first.\n");
    return reply.headers(jsonHeaders).send({ location });
  });

  // Reveals only that the server runs, because anybody may send this request.
  app.get("/healthz", (_request, reply) => reply.headers(plainHeaders).send("ok\n"));

  app.get("/login", (request, reply) => {
    const { data } = login.safeParse(request.query);
    if (data === undefined) return refuse(reply, "login");
    if (access.session(data.agent_id, "main", request.headers.cookie) !== undefined) {
      return reply.redirect(hasAgentHosts ? "/" : afterLogin(data.agent_id, request.headers.cookie), 302);
    }
    return sendPage(reply, 200, loginPage(data.agent_id, data.one_time_code));
  });

  app.get("/authenticate", { exposeHeadRoute: false }, (request, reply) => {
    // With an error status, the browser discards the prefetched page and requests it again when the user opens it.
    if (isSpeculative(request.raw)) return reply.code(503).headers(plainHeaders).send("Not for prefetching.\n");
    const { data } = login.safeParse(request.query);
    const session = data === undefined ? undefined : access.redeem(data.agent_id, data.one_time_code);
    if (data === undefined || session === undefined) return refuse(reply, "authenticate", data?.agent_id);
    log(`${data.agent_id}: a browser logged in`);
    context.audit.login(request.raw, data.agent_id, session);
    reply.header("set-cookie", setCookie(access.cookie(data.agent_id, "main", session)));
    // The browser does not send the part after # to any server; only the page's script reads it and keeps it.
    const to = hasAgentHosts
      ? `/#${data.agent_id}=${access.loginKey(data.agent_id, session)}`
      : afterLogin(data.agent_id, request.headers.cookie);
    return reply.headers(plainHeaders).redirect(to, 302);
  });
  // A HEAD request, for instance from a link checker, reveals nothing and does not use up the code.
  app.head("/authenticate", (_request, reply) => reply.headers(plainHeaders).send());

  app.get("/logout", (request, reply) => {
    const { data } = logout.safeParse(request.query);
    if (data === undefined) return sendPage(reply, 404, notFoundPage());
    const session = access.session(data.agent_id, "main", request.headers.cookie);
    // Agent names are only shown to logged-in clients.
    const name = session === undefined ? undefined : agents.find(data.agent_id)?.name;
    return sendPage(reply, 200, logoutPage(data.agent_id, name));
  });

  app.post("/logout", (request, reply) => {
    const { data } = logout.safeParse(request.query);
    if (data !== undefined) {
      const session = access.session(data.agent_id, "main", request.headers.cookie);
      if (session !== undefined) {
        access.end(session);
        connections.endSession(data.agent_id, session.id, request.raw.socket);
      }
      reply.header("set-cookie", clearCookie(access.cookieName(data.agent_id)));
    }
    return reply.headers(plainHeaders).redirect("/", 303);
  });

  await app.ready();
  return app.routing;
}

const jsonHeaders = { ...plainHeaders, "content-type": "application/json; charset=utf-8" };

function sendPage(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply.code(status).headers(pageHeaders).send(html);
}

function statusOf(error: unknown): number {
  const isHttp = error instanceof Error && "statusCode" in error && typeof error.statusCode === "number";
  return isHttp ? Number(error.statusCode) : 500;
}
