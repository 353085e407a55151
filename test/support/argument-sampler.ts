import { readdirSync, readFileSync } from "node:fs";

/**
 * Collects the arguments of processes until it is stopped. It may miss processes shorter than 50 ms.
 *
 * @param pids by default, every process of this machine: what any user here can see
 */
export function sampleArguments(pids: () => readonly number[] = allPids): { stop(): string[] } {
  const seen = new Set<string>();
  const look = () => {
    for (const pid of pids()) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
      } catch {
        // It has exited.
      }
    }
  };
  const timer = setInterval(look, 50);
  return {
    stop() {
      clearInterval(timer);
      look();
      return [...seen].map((line) => line.replaceAll("\0", " ").trim());
    },
  };
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}
