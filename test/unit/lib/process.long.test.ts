import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { runProgram } from "../../../components/lib/process.ts";

const env = { PATH: process.env["PATH"] ?? "" };

/** Whether a process runs; one that ended and was not waited for does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  for (let tries = 0; isAlive(pid); tries++) {
    if (tries === 100) throw new Error(`process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("runProgram", () => {
  it("returns a program's output, and passes on none of its own environment", async () => {
    const printed: string[] = [];
    const script = 'echo "out $A$HOME"; echo err >&2; exit 3';
    const end = await runProgram("sh", ["-c", script], {
      env: { ...env, A: "a" },
      timeoutSeconds: 10,
      onOutput: (text, stream) => printed.push(`${stream}: ${text}`),
    });
    expect(end).toEqual({ code: 3, stdout: "out a\n", stderr: "err\n" });
    expect(printed.sort()).toEqual(["stderr: err\n", "stdout: out a\n"]);
  });

  it("hands it what it reads, also when it ends before it has read all", async () => {
    const given = (input: string, script: string) =>
      runProgram("sh", ["-c", script], { env, timeoutSeconds: 10, input });
    expect(await given("a b\n", "cat")).toMatchObject({ code: 0, stdout: "a b\n" });
    expect(await given("x".repeat(1 << 20), "exit 2")).toMatchObject({ code: 2, stdout: "" });
  });

  it("reports a program that can't be started", async () => {
    const end = await runProgram("no-such-program", [], { env, timeoutSeconds: 10 });
    expect(end.code).toBe(127);
  });

  it("kills it with all that it started when its time is over", async () => {
    const end = await runProgram("sh", ["-c", "sleep 60 & echo $!; wait"], { env, timeoutSeconds: 0.5 });
    expect(end.code).toBe(124);
    await gone(Number(end.stdout));
  });

  it("kills it with all that it started when the signal is aborted", async () => {
    const abort = new AbortController();
    const onOutput = () => abort.abort();
    const options = { env, timeoutSeconds: 60, signal: abort.signal, onOutput };
    const end = await runProgram("sh", ["-c", "sleep 60 & echo $!; wait"], options);
    expect(end.code).toBe(130);
    await gone(Number(end.stdout));
    expect(await runProgram("sh", ["-c", "echo x"], options)).toEqual({ code: 130, stdout: "", stderr: "" });
  });

  it("asks it to stop by its input, and kills it only if it does not", async () => {
    const stopped = async (script: string, graceSeconds: number) => {
      const abort = new AbortController();
      const onOutput = () => abort.abort();
      const stopInput = { text: "stop\n", graceSeconds };
      const options = { env, timeoutSeconds: 60, signal: abort.signal, input: "first\n", stopInput, onOutput };
      return runProgram("sh", ["-c", script], options);
    };
    const script = 'read -r a; echo "$a"; read -r b; echo "$b"; exit 5';
    expect(await stopped(script, 30)).toMatchObject({ code: 5, stdout: "first\nstop\n" });
    expect(await stopped("echo; exec sleep 60", 0.2)).toMatchObject({ code: 130 });
  });

  it("ends although a process that left the group keeps the output open", async () => {
    const end = await runProgram("sh", ["-c", "setsid sleep 20 & wait"], { env, timeoutSeconds: 0.5 });
    expect(end.code).toBe(124);
  });

  it("kills it when it prints too much", async () => {
    const end = await runProgram("yes", [], { env, timeoutSeconds: 60, maxOutput: 1_000_000 });
    expect(end.code).toBe(137);
    expect(end.stdout.length).toBeLessThan(2_000_000);
    expect(end.stderr).toContain("more than 1000000 characters");
    const unkept = await runProgram("yes", [], { env, timeoutSeconds: 60, maxOutput: 1_000_000, keepsOutput: false });
    expect(unkept).toMatchObject({ code: 137, stdout: "" });
  });

  it("passes a text as a file descriptor, and bytes as its input", async () => {
    const text = "x".repeat(200_000);
    const options = { env, timeoutSeconds: 10, file: text, input: Uint8Array.of(0, 255, 10) };
    const end = await runProgram("sh", ["-c", "wc -c <&3; wc -c"], options);
    expect(end.stdout.split("\n")).toEqual(["200000", "3", ""]);
  });

  it("never splits a character", async () => {
    const pieces: string[] = [];
    const script = "printf '\\342\\202'; sleep 0.1; printf '\\254'";
    await runProgram("sh", ["-c", script], { env, timeoutSeconds: 10, onOutput: (text) => pieces.push(text) });
    expect(pieces).toEqual(["€"]);
  });

  it("ends processes that the program left running, on request", async () => {
    const script = "sleep 60 & echo $!";
    const end = await runProgram("sh", ["-c", script], { env, timeoutSeconds: 10, endsGroup: true });
    expect(end.code).toBe(0);
    await gone(Number(end.stdout));
  });

  it.each(["SIGTERM", "SIGKILL"] as const)("ends it with this process, whose %s it does not get", async (signal) => {
    const module = JSON.stringify(new URL("../../../components/lib/process.ts", import.meta.url).href);
    const script = `const { runProgram } = await import(${module});
      await runProgram("sh", ["-c", "echo $$; exec sleep 60"], {
        env: process.env, timeoutSeconds: 60, onOutput: (text) => process.stdout.write(text),
      });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    expect(isAlive(Number(line))).toBe(true);
    child.kill(signal);
    expect((await once(child, "exit"))[1]).toBe(signal);
    await gone(Number(line));
  });
});
