/** A service that starts one version behind the named fence, prints its pid, and goes on: `node host-program.ts FENCE`. */
import { findFence } from "../../../components/seed-agent/program/hot-reload/fence.ts";
import { aRequest, given, handler, run } from "./versions.ts";

const fence = await findFence(process.argv[2] === "bubblewrap" ? "bubblewrap" : "permission");
const host = await run(handler("if (request.path === '/loop') for (;;); return { status: 200 }"), fence, {
  callMilliseconds: 60_000,
});
// Code that is busy must end too.
host.handle(aRequest({ path: "/loop" }), given()).catch(() => {});
process.stdout.write(`${host.pid}\n`);
setInterval(() => {}, 1e9);
