import type { Route } from "../../components/web/forwarding/program/proxy/route.ts";

/** One agent, with each kind of routing. */
export const id = `agent-${"a".repeat(32)}`;
export const host: Route = {
  upstream: new URL("http://127.0.0.1:9000"),
  prefix: "",
  path: "/docs/page?q=1",
  publicOrigin: `http://${id}.localhost:8420`,
};
export const path: Route = { ...host, prefix: `/${id}`, publicOrigin: "http://localhost:8420" };
