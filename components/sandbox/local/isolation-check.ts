import { runProgram } from "../../lib/process.ts";
import { SandboxError } from "../provider.ts";
import { confineTool } from "./confinement.ts";

const checked = new Map<string, Promise<void>>();

/** @throws SandboxError with the remedy if bubblewrap can't confine anything on this machine */
export function checkIsolation(bwrap: string): Promise<void> {
  const known = checked.get(bwrap);
  if (known !== undefined) return known;
  const checking = check(bwrap);
  checked.set(bwrap, checking);
  checking.catch(() => checked.delete(bwrap));
  return checking;
}

async function check(bwrap: string): Promise<void> {
  const args = [...confineTool({}), "--disable-userns", "--", "/bin/sh", "-c", "true"];
  const { code, stderr } = await runProgram(bwrap, args, { env: {}, timeoutSeconds: 20 });
  if (code !== 0) throw new SandboxError("isolation", reasonFor(stderr.trim()));
}

/** @param stderr of bubblewrap */
export function reasonFor(stderr: string): string {
  const optIn = 'or set isolation = "none" for the changeling: then nothing confines the agent';
  const said = stderr === "" ? "" : ` (${stderr.split("\n").at(-1)})`;
  if (/mount(ing)? proc/i.test(stderr)) {
    return `this machine's /proc is partly hidden, as in a container, so sandboxes can't have their own${said}; start the container with --security-opt systempaths=unconfined, ${optIn}`;
  }
  if (/namespace|uid map|gid map|loopback|not permitted|permission/i.test(stderr)) {
    return `this machine does not let programs make user namespaces${said}; allow it with: sudo sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1 (Debian) or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), in a container with --security-opt seccomp=unconfined, ${optIn}`;
  }
  return `bubblewrap does not work here${said}; install version 0.8 or later of your system's package bubblewrap, ${optIn}`;
}
