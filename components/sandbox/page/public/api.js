// @ts-nocheck: a browser's program.
/**
 * Requests to this page's server. The token is in this tab's storage alone, and is sent with each request: there is no
 * cookie that another page could use.
 */

/** A rejected request. `code` is one of the protocol's error codes, or `offline` if the server did not answer. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const loginKey = "login";
const guestKey = (session) => `guest ${session}`;

function stored(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Who this tab is logged in as, if it is the installation's owner: `{token, person}`. */
export function ownLogin() {
  return stored(loginKey);
}

function tokenFor(session) {
  return (session === undefined ? undefined : stored(guestKey(session))?.token) ?? ownLogin()?.token;
}

export function isKnown(session) {
  return tokenFor(session) !== undefined;
}

export function forget(session) {
  if (session !== undefined && stored(guestKey(session)) !== undefined) sessionStorage.removeItem(guestKey(session));
  else sessionStorage.removeItem(loginKey);
}

/**
 * Ends the owner's login, on the server first, and removes everything that this tab has stored: drafts and invitations too.
 *
 * @throws Refused if the login could not be ended
 */
export async function logOut() {
  const login = ownLogin();
  if (login !== undefined) {
    const headers = { authorization: `Bearer ${login.token}` };
    await ask("/logout", { method: "POST", headers }).catch((error) => {
      throw new Refused(error.code, `You may still be logged in. ${error.message}`);
    });
  }
  sessionStorage.clear();
  location.replace("/");
}

/**
 * Logs in with the code or the token in the address, and removes it from the address and the browser's history.
 *
 * @param session the id of the page's session
 * @throws Refused if the code is not valid
 */
export async function takeLogin(session) {
  const given = new URLSearchParams(location.hash.slice(1));
  if (location.hash !== "") history.replaceState(null, "", location.pathname);
  const token = given.get("token");
  if (token !== null && session !== undefined) sessionStorage.setItem(guestKey(session), JSON.stringify({ token }));
  const code = given.get("code");
  if (code === null) return;
  const response = await ask("/login", { method: "POST", body: JSON.stringify({ code }) });
  sessionStorage.setItem(loginKey, JSON.stringify(await response.json()));
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api${path}`, {
      ...{ credentials: "omit", cache: "no-store", redirect: "error", ...options },
      headers: { "content-type": "application/json", ...options.headers },
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused("offline", "This page’s server can’t be reached.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => undefined);
  const { code = "failed", message = `The answer was ${response.status}.` } = body?.error ?? {};
  throw new Refused(code, message);
}

/** The requests of a session's page; without a session, those of the list. */
export function apiOf(session) {
  const base = session === undefined ? "/sessions" : `/sessions/${session}`;
  const request = (path, options = {}) =>
    ask(base + path, { ...options, headers: { authorization: `Bearer ${tokenFor(session)}`, ...options.headers } });
  const post = (path, body = {}) => request(path, { method: "POST", body: JSON.stringify(body) });
  return {
    view: async () => (await request("")).json(),
    diff: async () => (await request("/diff")).text(),
    /** A page of stored events, in order. */
    eventsAfter: async (cursor) => (await request(`/events?from=${cursor}&limit=1000`)).json(),
    post: async (path, body) => (await post(path, body)).json(),
    /** Yields events as they happen, until the connection ends or the signal is aborted. */
    async *follow(cursor, signal) {
      const headers = { accept: "text/event-stream" };
      const response = await request(`/events?from=${cursor}`, { headers, signal });
      yield* eventsIn(response.body);
    },
  };
}

/** The service sends something every 5 s. A connection that is silent for this long is lost, although no error says so. */
const silenceMs = 40_000;

async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMs);
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      const events = parts.flatMap((part) => {
        const data = part.split("\n").filter((line) => line.startsWith("data:"));
        return data.length === 0 ? [] : [JSON.parse(data.map((line) => line.slice(5)).join("\n"))];
      });
      yield events;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function within(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Refused("offline", "The connection is silent.")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
