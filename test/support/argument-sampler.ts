import { readdirSync, readFileSync } from "node:fs";

/**
 * Collects the arguments of every process of this machine until it is stopped: what anybody here can see of them.
 *
 * @param everyMilliseconds a process that is shorter than that may be missed
 */
export function sampleArguments(everyMilliseconds = 50): { stop(): string[] } {
  const seen = new Set<string>();
  const look = () => {
    for (const entry of readdirSync("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        seen.add(readFileSync(`/proc/${entry}/cmdline`, "utf8"));
      } catch {
        // It has ended.
      }
    }
  };
  const timer = setInterval(look, everyMilliseconds);
  return {
    stop() {
      clearInterval(timer);
      look();
      return [...seen].map((line) => line.replaceAll("\0", " ").trim());
    },
  };
}
