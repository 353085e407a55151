/**
 * Tests writes of the long-lived programs on a full disk: `node full-disk-program.ts FOLDER`, where FOLDER is a mount.
 */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DiskFullError, writePrivateFile } from "../../components/host/files.ts";
import { openLog } from "../../components/host/log.ts";
import { becomeDaemon, daemonState } from "../../components/host/supervision/state.ts";
import { revokeAll } from "../../components/sandbox/page/revocation.ts";
import { openAccess } from "../../components/web/forwarding/program/auth/access.ts";

const [folder = ""] = process.argv.slice(2);
const filler = join(folder, "filler");
const agent = `agent-${"a".repeat(32)}`;

/** @param leave how many bytes to leave free */
function fill(leave = 0): void {
  const file = openSync(filler, "a");
  try {
    for (;;) writeSync(file, Buffer.alloc(1024));
  } catch {
    closeSync(file);
  }
  if (leave > 0) rmSync(join(folder, "ballast"));
}

const makeRoom = () => rmSync(filler);
const attempt = (work: () => unknown): string => {
  try {
    work();
    return "done";
  } catch (error) {
    return error instanceof DiskFullError ? "full" : String(error);
  }
};

const lines: string[] = [];
const options = { folder, codeTtlSeconds: 900, cookieTtlSeconds: 3600, isSecure: false };
const open = () => openAccess({ ...options, log: (line: string) => void lines.push(line.replaceAll(folder, "")) });
const access = open();
const login = (): string | undefined => {
  const session = access.redeem(agent, access.mint(agent).code);
  if (session === undefined) return undefined;
  const { name, value } = access.cookie(agent, "main", session);
  return `${name}=${value}`;
};
const isIn = (of: typeof access, cookie: string | undefined): boolean =>
  of.session(agent, "main", cookie) !== undefined;

const path = join(folder, "whole.txt");
const log = openLog(join(folder, "daemon.log"));
const daemon = { folder: join(folder, "daemon"), stateFile: join(folder, "daemon", "state.json"), programVersion: "1" };
writePrivateFile(path, "the old content");
writePrivateFile(join(folder, "ballast"), "x".repeat(4096));
log("there is room");
const first = login();
const wasIn = isIn(access, first);

fill(4096);
// The first of its two blocks still fits.
const half = attempt(() => writePrivateFile(path, "y".repeat(8192)));
const whole = readFileSync(path, "utf8");
fill();
const logged = attempt(() => log("x".repeat(8192)));
const revoked = access.revoke(agent)?.isOldGone ?? "recorded";
const isInAfterRevoke = isIn(access, first);
// A restart while the disk is full: it starts, and no earlier login is valid.
const isInAfterRestart = isIn(open(), first);
const pageRevoked = attempt(() => revokeAll(folder));
const second = attempt(login);
const became = attempt(() => becomeDaemon(daemon, new Date()));

makeRoom();
log("there is room again");
for (let n = 0; n < 100 && !existsSync(daemon.stateFile); n += 1) await sleep(100);
const { alive } = daemonState(daemon);
const logText = readFileSync(join(folder, "daemon.log"), "utf8").replaceAll(/\d{4}-\S+Z/g, "TIME");
process.stdout.write(
  JSON.stringify({
    wasIn,
    half,
    whole,
    logged,
    revoked,
    isInAfterRevoke,
    isInAfterRestart,
    pageRevoked,
    second,
    became,
    alive,
    logText,
  }),
);
process.exit();
