import { join } from "node:path";
import { openAppender } from "../../host/log.ts";
import { printToStderr } from "../../host/supervision/print-to-stderr.ts";
import { becomeDaemon } from "../../host/supervision/state.ts";
import { placeOf } from "./node.ts";

/**
 * Runs a node in this process, as a daemon. The service's output goes to a log of bounded size.
 *
 * @param load imports the service's module, which runs it
 * @param compile imports the same modules without running anything, so that Node compiles them for its cache
 */
export async function runNode(load: () => Promise<unknown>, compile: () => Promise<unknown>): Promise<void> {
  const [, , installation, folder, version] = process.argv;
  if (process.argv.includes("--compile")) {
    await compile();
    // Node writes its cache on exit.
    process.exit(0);
  }
  if (installation === undefined || folder === undefined || version === undefined) {
    process.stderr.write("usage: main.ts <installation id> <folder> <version>\n");
    process.exit(2);
  }
  process.umask(0o077);
  // The supervisor does not restart a process that exits with 0.
  if (!becomeDaemon(placeOf({ folder }, version), new Date())) process.exit(0);
  const append = openAppender({
    path: join(folder, "service.log"),
    gap: ({ count, since, reason }) => `${count} lines could not be written here since ${since}: ${reason}`,
  });
  printTo(process.stdout, append);
  printTo(process.stderr, append);
  const crash = (error: unknown): never => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    append([`crashed: ${reason}`]);
    printToStderr(`error: ${reason}`);
    process.exit(1);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  await load().catch(crash);
}

function printTo(stream: NodeJS.WriteStream, append: (lines: readonly string[]) => void): void {
  let rest = "";
  stream.write = (chunk: Uint8Array | string, ...more: unknown[]) => {
    const lines = (rest + (typeof chunk === "string" ? chunk : Buffer.from(chunk).toString())).split("\n");
    rest = lines.pop() ?? "";
    append(lines);
    const done = more.find((each) => typeof each === "function");
    if (done !== undefined) queueMicrotask(() => done());
    return true;
  };
}
