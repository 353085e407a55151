import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isAlive } from "../../../components/lib/process.ts";
import { stopByte, supervised, supervisedInput } from "../../../components/sandbox/supervisor.ts";

const hasPython = process.platform === "linux";

interface Running {
  /** What it has written, from the moment that the text is there. */
  readonly said: (text: string) => Promise<string>;
  readonly write: (bytes: Uint8Array | string) => void;
  readonly end: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(
  argv: readonly string[],
  { timeoutSeconds = 15, cwd = "/" } = {},
  stdin: string | undefined = "",
): Running {
  const [command = "", ...args] = supervised(argv, { timeoutSeconds, cwd });
  const child = spawn(command, args, { env: { PATH: `${process.env["PATH"]}`, GIVEN: "yes" } });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  child.stdin.on("error", () => {});
  if (stdin !== undefined) child.stdin.write(supervisedInput(stdin));
  return {
    async said(text) {
      await expect.poll(() => output.stdout).toContain(text);
      return output.stdout;
    },
    write: (bytes) => child.stdin.write(bytes),
    end: once(child, "close").then(([code]) => ({ code, ...output })),
  };
}

const run = (argv: readonly string[], options = {}, stdin?: string) => start(argv, options, stdin).end;

describe.runIf(hasPython)("a supervised program", () => {
  test("gets its arguments, environment, folder and input as they are", async () => {
    const script = 'printf "%s|" "$@" "$GIVEN" "$PWD"; cat; echo oops >&2; exit 3';
    const stdin = `K\n${"é".repeat(200_000)}`;
    const { code, stdout, stderr } = await run(["sh", "-c", script, "sh", "a b", "$HOME", ""], { cwd: "/usr" }, stdin);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "oops\n" });
    expect(stdout === `a b|$HOME||yes|/usr|${stdin}`).toBe(true);
  });

  test("may ignore its input", async () => {
    expect(await run(["true"], {}, "x".repeat(1_000_000))).toMatchObject({ code: 0 });
  });

  test.each([
    [["sh", "-c", "kill -KILL $$"], 137, ""],
    [["no-such-program"], 127, "no-such-program: not found\n"],
    [["/usr"], 126, "/usr: Permission denied\n"],
  ])("%j ends with %i", async (argv, code, stderr) => {
    expect(await run(argv)).toEqual({ code, stdout: "", stderr });
  });

  test("cannot start in a folder that does not exist", async () => {
    expect(await run(["true"], { cwd: "/no/such" })).toMatchObject({
      code: 126,
      stderr: expect.stringContaining("/no/such"),
    });
  });

  test("ends by its timeout with everything that it started, also what has left its session", async () => {
    const daemon = "setsid sh -c 'setsid sleep 600 & echo $!; wait' & echo $!; trap '' TERM; sleep 600 & echo $!; wait";
    const { code, stdout } = await run(["sh", "-c", daemon], { timeoutSeconds: 1 });
    expect(code).toBe(124);
    const pids = stdout.trim().split("\n").map(Number);
    expect(pids).toHaveLength(3);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  // Root may read everything, so root becomes another user first.
  test.runIf(existsSync("/usr/bin/python3") && existsSync("/usr/bin/setpriv"))(
    "can't read the environment of its supervisor, which contains secrets",
    () => {
      const script = "cat /proc/$PPID/environ /proc/$PPID/mem; echo $GIVEN";
      const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all", "--"];
      const user = process.getuid?.() === 0 ? nobody : [];
      const [command = "", ...args] = [...user, ...supervised(["sh", "-c", script], { timeoutSeconds: 15, cwd: "/" })];
      const env = { PATH: "/usr/bin:/bin", GIVEN: "secret" };
      const { status, stdout, stderr } = spawnSync(command, args, {
        env,
        input: supervisedInput(""),
        encoding: "utf8",
      });
      expect({ status, stdout }).toEqual({ status: 0, stdout: "secret\n" });
      expect(stderr.match(/Permission denied/g)).toHaveLength(2);
    },
  );

  test("leaves nothing running when it ends by itself", async () => {
    const { code, stdout } = await run(["sh", "-c", "setsid sleep 600 & echo $!"]);
    expect(code).toBe(0);
    expect(isAlive(Number(stdout))).toBe(false);
  });

  test("ends when it is asked to stop, and may tidy up before", async () => {
    // Not `wait`: a shell may get the signal just before it waits, and a new child may ignore it until it is `sleep`.
    const running = start(["sh", "-c", "trap 'echo tidied; exit 0' TERM; sleep 600 & echo ready; while :; do :; done"]);
    await running.said("ready");
    running.write(stopByte);
    expect(await running.end).toMatchObject({ code: 130, stdout: "ready\ntidied\n" });
  });
});
