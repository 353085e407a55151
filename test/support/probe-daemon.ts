/**
 * A daemon for tests of supervision. Files in its folder say how it behaves:
 *   crash     it exits with 1 at once, with some words
 *   stubborn  it ignores SIGTERM
 *   starts    one line for each start, with its pid
 *   compiles  one line for each time that its code was compiled
 * usage: probe-daemon.ts FOLDER VERSION
 */
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { becomeDaemon } from "../../components/host/supervision/state.ts";

const [folder = "", programVersion = "", compile] = process.argv.slice(2);
if (compile === "--compile") {
  appendFileSync(join(folder, "compiles"), `${process.pid}\n`);
  process.exit(0);
}
appendFileSync(join(folder, "starts"), `${process.pid}\n`);
if (existsSync(join(folder, "crash"))) {
  process.stderr.write("boom at start\n");
  process.exit(1);
}
if (!becomeDaemon({ folder, stateFile: join(folder, "state.json"), programVersion }, new Date())) process.exit(0);
process.on("SIGTERM", () => existsSync(join(folder, "stubborn")) || process.exit(0));
setInterval(() => {}, 60_000);
