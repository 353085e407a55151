import * as z from "zod/mini";
import {
  cancelRequest,
  createRequest,
  inviteRequest,
  postRequest,
  type Role,
  retryRequest,
  type SessionStatus,
  type SessionView,
  sandboxRequest,
  sessionId,
} from "../protocol.ts";
import type { Feeds } from "./feed.ts";
import { bodyOf, numberIn } from "./http.ts";
import { cancel, emptyQueue, post, processing, RequestError, retry, setStatus } from "./queue.ts";
import type { Runner } from "./runner.ts";
import { now, type SessionState } from "./state.ts";
import { messageOf } from "./store.ts";
import { type Caller, hashOf, newToken } from "./tokens.ts";
import type { Work } from "./work.ts";

/** A request, and the parts of its session. */
export interface Call {
  readonly state: SessionState;
  readonly work: Work;
  readonly runner: Runner;
  readonly feeds: Feeds;
  readonly caller: Caller;
  readonly request: Request;
  readonly url: URL;
}

/** By method and last segment of the path. */
const actions: Readonly<Record<string, { readonly role: Role; readonly act: (call: Call) => Promise<Response> }>> = {
  "GET ": { role: "guest", act: async (call) => Response.json(viewOf(call)) },
  "GET messages": { role: "guest", act: listMessages },
  "POST messages": { role: "guest", act: postMessage },
  "POST cancel": { role: "guest", act: cancelMessage },
  "POST retry": { role: "guest", act: retryMessage },
  "GET diff": { role: "guest", act: (call) => workOf(call, "diff") },
  "GET bundle": { role: "guest", act: (call) => workOf(call, "bundle") },
  "POST pause": { role: "owner", act: (call) => changeStatus(call, "paused") },
  "POST resume": { role: "owner", act: (call) => changeStatus(call, "running") },
  "POST stop": { role: "owner", act: (call) => changeStatus(call, "terminated") },
  "POST snapshot": { role: "owner", act: takeSnapshot },
  "POST invite": { role: "owner", act: invite },
  "POST revoke": { role: "owner", act: revoke },
  "POST sandbox": { role: "owner", act: recordSleep },
  "POST wake": { role: "owner", act: async () => Response.json({}) },
};

/** @throws RequestError */
export async function act(call: Call, what: string): Promise<Response> {
  const action = actions[`${call.request.method} ${what}`];
  if (action === undefined) throw new RequestError("not_found", `there is no ${call.request.method} ${what}`);
  if (action.role === "owner" && call.caller.role !== "owner") {
    throw new RequestError("forbidden", "only an owner of this session may do that");
  }
  const response = await action.act(call);
  call.work.kick();
  return response;
}

const internalCreate = z.extend(createRequest, { id: sessionId });

/** Creates the session, unless it exists already. */
export async function create(call: Call): Promise<Response> {
  const { id, changeling, branch, title, limits } = await bodyOf(call.request, internalCreate);
  const { state, caller } = call;
  if (!state.exists) {
    const at = now();
    const row = {
      ...({ id, changeling, branch, title, createdAt: at, updatedAt: at, status: "running", isReady: false } as const),
      ...{ startSeen: 0, limits, messages: 0, places: 0, used: { minutes: 0, costUsd: 0 } },
      ...{ isCleaned: false, isReported: false, isAsleep: false },
    };
    const titled = title === undefined ? {} : { title };
    state.create(row, emptyQueue(limits), { type: "created", by: caller.name, changeling, ...titled });
  }
  call.work.kick();
  return Response.json(viewOf(call));
}

function viewOf({ state, feeds, caller }: Pick<Call, "state" | "feeds" | "caller">): SessionView {
  const { row, queue, store } = state;
  const { branch, reason, snapshot, isReady, isCleaned, limits } = row;
  return {
    ...state.summary,
    ...(branch === undefined ? {} : { branch }),
    ...(reason === undefined ? {} : { reason }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...{
      isReady,
      isCleaned,
      limits,
      messages: queue.messages,
      used: { messages: queue.messages, ...queue.used },
    },
    queue: queue.open.map(messageOf),
    people: store.people().map(({ name, role }) => ({ name, role })),
    you: { name: caller.name, role: caller.role },
    present: feeds.present(),
    cursor: store.cursor(),
  };
}

async function listMessages({ state, url }: Call): Promise<Response> {
  const limit = Math.min(numberIn(url, "limit", 200), 1000);
  return Response.json(state.store.entries(numberIn(url, "after", 0), limit).map(messageOf));
}

async function postMessage({ state, caller, request }: Call): Promise<Response> {
  const { key, text } = await bodyOf(request, postRequest);
  // Keys are per person, so that nobody can find out which keys others have used.
  const ownKey = `${caller.name}\n${key}`;
  const before = state.store.entryOfKey(ownKey);
  if (before !== undefined) {
    if (before.text !== text) throw new RequestError("conflict", "this key was used for another message");
    return Response.json({ message: before.id });
  }
  const change = post(state.queue, { author: caller.name, text, at: now() });
  state.commitVisibly({ change, key: ownKey });
  return Response.json({ message: change.queue.messages });
}

async function cancelMessage({ state, runner, caller, request }: Call): Promise<Response> {
  const { message: id } = await bodyOf(request, cancelRequest);
  const { row, queue } = state;
  if (id === undefined && !row.isReady && row.status !== "terminated") {
    requireOwner(caller, "the start of the sandbox");
    await runner.cancel(state.startKey);
    return Response.json({ cancelled: true });
  }
  const entry = id === undefined ? processing(queue) : queue.open.find((each) => each.id === id);
  if (entry !== undefined && entry.author !== caller.name) requireOwner(caller, "another person's message");
  const change = cancel(queue, { id, at: now() });
  if (change === undefined) return Response.json({ cancelled: false });
  if (change.abort !== undefined) await runner.cancel(state.keyOf(change.abort));
  else state.commitVisibly({ change });
  return Response.json({ cancelled: true });
}

async function retryMessage({ state, caller, request }: Call): Promise<Response> {
  const { message: id } = await bodyOf(request, retryRequest);
  const entry = state.store.entry(id);
  if (entry === undefined) throw new RequestError("not_found", `there is no message ${id}`);
  if (entry.author !== caller.name) requireOwner(caller, "another person's message");
  state.commitVisibly({ change: retry(state.queue, entry, { by: caller.name, at: now() }) });
  return Response.json({});
}

async function changeStatus(call: Call, status: SessionStatus): Promise<Response> {
  const { state, work, caller, request } = call;
  const { reason } = await bodyOf(request, z.object({ reason: z.optional(z.string().check(z.maxLength(500))) }));
  const change = setStatus(state.queue, { status, by: caller.name, at: now(), reason });
  if (change !== undefined) state.commitVisibly({ change, row: reason === undefined ? {} : { reason } });
  // The current message ends with the sandbox.
  if (status === "terminated") work.stopFollowing();
  return Response.json(viewOf(call));
}

async function takeSnapshot({ state, runner, caller }: Call): Promise<Response> {
  requireSandbox(state);
  const snapshot = await runner.snapshot(state.row.id);
  state.commit({ events: [{ type: "snapshot", snapshot, by: caller.name }], row: { snapshot } });
  return Response.json({ snapshot });
}

async function recordSleep({ state, caller, request }: Call): Promise<Response> {
  if (!caller.isInstallationOwner)
    throw new RequestError("forbidden", "only the session service reports the state of its sandboxes");
  const { isAsleep, snapshot } = await bodyOf(request, sandboxRequest);
  const isSame = isAsleep === state.row.isAsleep;
  state.commit({
    events: isSame ? [] : [{ type: "sandbox", isAsleep }],
    row: { isAsleep, ...(snapshot === undefined ? {} : { snapshot }), ...(isSame ? {} : { isReported: false }) },
  });
  return Response.json({});
}

async function workOf({ state, runner }: Call, what: "diff" | "bundle"): Promise<Response> {
  requireSandbox(state);
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return new Response(await runner.work(state.row.id, what), { headers });
}

/** A person who is invited again gets another token. Connections that use the former one are cut off. */
async function invite({ state, feeds, caller, request }: Call): Promise<Response> {
  const { name, role } = await bodyOf(request, inviteRequest);
  const token = newToken();
  const hash = await hashOf(token);
  state.commit({
    events: [{ type: "invited", name, role, by: caller.name }],
    also: () => state.store.savePerson({ name, role, hash }),
  });
  feeds.close(name);
  return Response.json({ token });
}

async function revoke({ state, feeds, caller, request }: Call): Promise<Response> {
  const { name } = await bodyOf(request, z.object({ name: z.string() }));
  if (!state.store.people().some((person) => person.name === name)) {
    throw new RequestError("not_found", "nobody of this name was invited");
  }
  state.commit({ events: [{ type: "revoked", name, by: caller.name }], also: () => state.store.removePerson(name) });
  feeds.close(name);
  return Response.json({});
}

function requireOwner({ role }: Caller, what: string): void {
  if (role !== "owner") throw new RequestError("forbidden", `only an owner of this session may do that to ${what}`);
}

function requireSandbox({ row }: SessionState): void {
  if (row.status === "terminated") throw new RequestError("terminated", "this session is terminated");
  if (!row.isReady) throw new RequestError("conflict", "the sandbox has not started yet");
}
