import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import * as z from "zod/mini";
import { isAlive } from "../../../components/lib/process.ts";
import { type Finished, problemOf, pulumi, type Stack } from "../stack.ts";

/**
 * A lock's holder on another machine can't be judged by its process. So each exclusive job records its machine in a tag
 * of the stack while it applies. A machine still recorded there belongs to a killed job, because the pipeline runs one
 * job at a time, and this is it. A lock of an unrecorded machine belongs to a person.
 */
const tag = "changelings:applying-on";
/** The longest value that Pulumi Cloud accepts. */
const longestValue = 256;

/** The holder of a stack's lock, as reported by `pulumi up`. */
export interface Holder {
  readonly who: string;
  readonly host: string;
  readonly pid: number;
  readonly since: string;
}

/** The holders of the stack's lock. Empty where the backend does not report them (Pulumi Cloud). */
export type Lock = readonly Holder[];

/** @returns undefined if this update did not fail because of a lock */
export function lockOf({ code, stderr }: Finished): Lock | undefined {
  if (code === 0) return undefined;
  const isLocked = /the stack is currently locked by \d+ lock|Another update is currently in progress/.test(stderr);
  if (!isLocked) return undefined;
  return [...stderr.matchAll(/created by (\S*)@(\S+) \(pid (\d+)\) at (\S+)/g)].map(
    ([, who = "", host = "", pid = "", since = ""]) => ({ who, host, pid: Number(pid), since }),
  );
}

/**
 * Records that a job on this machine is applying.
 *
 * @returns the machines of earlier jobs that did not finish
 */
export async function markJob(stack: Stack): Promise<readonly string[]> {
  const listed = await succeed(stack, ["stack", "tag", "ls", "--json"]);
  const value = z.record(z.string(), z.string()).parse(JSON.parse(listed))[tag] ?? "";
  const former = value.split(" ").filter((host) => host !== "");
  await writeTag(stack, [...former, hostname()]);
  return former;
}

/** Removes the record when the job ends, whatever its result. @param left machines that stay recorded */
export async function endMark(stack: Stack, left: readonly string[]): Promise<void> {
  await writeTag(stack, left);
}

/**
 * Removes a lock that killed jobs left behind.
 *
 * @throws before any change, if the holder may still be at work
 */
export async function clearLock(stack: Stack, lock: Lock, former: readonly string[]): Promise<void> {
  const isDead = ({ host, pid }: Holder) => former.includes(host) && !(host === hostname() && isPulumi(pid));
  const others = lock.filter((holder) => !isDead(holder));
  if (others.length > 0 || former.length === 0) {
    const who = others.map(({ who, host, pid, since }) => ` by ${who}@${host} (pid ${pid}) since ${since}`).join(",");
    throw new Error(
      `the stack ${stack.name} is being applied${who}, which is not a killed job of this pipeline. Run this job again when ` +
        `that has ended; if it was killed: npm run pulumi -- cancel --stack ${stack.name}`,
    );
  }
  process.stdout.write(`A job on ${former.join(", ")} was killed: its lock is removed, and its work is continued.\n`);
  await succeed(stack, ["cancel", "--yes"]);
}

/** Another machine may have the same name, as hosted runners do, where the pid is another process. */
function isPulumi(pid: number): boolean {
  if (process.platform !== "linux") return isAlive(pid);
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "pulumi";
  } catch {
    return false;
  }
}

async function writeTag(stack: Stack, hosts: readonly string[]): Promise<void> {
  const value = [...new Set(hosts)].join(" ").slice(-longestValue);
  await succeed(stack, value === "" ? ["stack", "tag", "rm", tag] : ["stack", "tag", "set", tag, value]);
}

async function succeed(stack: Stack, args: readonly string[]): Promise<string> {
  const ended = await pulumi(stack, [...args, "--non-interactive"], { capture: true });
  if (ended.code !== 0) throw new Error(problemOf(ended));
  return ended.stdout;
}
