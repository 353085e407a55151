import type { Handle } from "seed";

/** `GET /agent/` introduces the agent, `POST /agent/echo` returns the body, and `GET /agent/visits` counts requests. */
const handle: Handle = async (request, context) => {
  if (request.path === "/" && request.method === "GET") return { status: 200, body: "I am a seed agent.\n" };
  if (request.path === "/echo" && request.method === "POST") return { status: 200, body: request.body };
  if (request.path === "/visits" && request.method === "GET") {
    const visits = Number((await context.state.get("visits")) ?? 0) + 1;
    await context.state.set("visits", String(visits));
    return {
      status: 200,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ visits, at: new Date(context.now()).toISOString() }),
    };
  }
  return { status: 404, body: "Not found\n" };
};

export default handle;
