import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** What Linux counts processor time in (`getconf CLK_TCK`; it is this everywhere). */
const ticksPerSecond = 100;

/**
 * Processor time that a process has used so far, in seconds. Unlike wall time it is hardly longer when other programs
 * want the processor too.
 */
export async function processorSeconds(pid: number): Promise<number> {
  if (process.platform === "linux") {
    // The second field, the program's name, may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }
  const child = spawn("ps", ["-o", "time=", "-p", String(pid)], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  return secondsOf(output.trim());
}

/** `[hours:]minutes:seconds`, as ps has it. */
function secondsOf(text: string): number {
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}
