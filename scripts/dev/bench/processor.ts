import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Linux's unit of processor time (`getconf CLK_TCK`; the same everywhere). */
const ticksPerSecond = 100;

/** Processor time that a process has used so far, in seconds. Unlike wall time, it hardly depends on other load. */
export async function processorSeconds(pid: number): Promise<number> {
  if (process.platform === "linux") {
    // The second field, the program's name, may contain spaces.
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

/** Parses `[hours:]minutes:seconds`, the format of ps. */
function secondsOf(text: string): number {
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}
