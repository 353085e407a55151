import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { type Connection, SeedAgentError } from "../provider.ts";
import { kubectlEnvironment } from "./run-kubectl.ts";

/** Runs kubectl until its stdin closes, which happens however this process ends. */
const script = 'exec 3<&0; kubectl "$@" & pid=$!; { read -r _ <&3; kill "$pid"; } & wait "$pid"';

/** Forwards a port of this machine to the Service. @throws SeedAgentError if kubectl ends, or takes too long */
export function portForward(
  args: readonly string[],
  { env, timeoutSeconds = 30 }: { readonly env: NodeJS.ProcessEnv; readonly timeoutSeconds?: number },
): Promise<Connection> {
  const child = spawn("/bin/sh", ["-c", script, "sh", ...args], { env: kubectlEnvironment(env), stdio: "pipe" });
  const close = () => void child.stdin.end();
  let [out, errors] = ["", ""];
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer);
      close();
      reject(new SeedAgentError(`kubectl port-forward failed: ${reason}; see: kubectl get pods`));
    };
    const timer = setTimeout(() => fail(`no port was open after ${timeoutSeconds} seconds`), timeoutSeconds * 1000);
    child.once("error", ({ message }) => fail(message));
    child.once("exit", () => fail(errors.trim() || "it ended"));
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-1000);
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (out.length < 1000) out += text;
      const address = /Forwarding from (127\.0\.0\.1:\d+) ->/.exec(out)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      // Don't keep this process running.
      child.unref();
      for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as Socket).unref();
      resolve({ url: `http://${address}`, close });
    });
  });
}
