import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ApiAccess,
  type CreateOptions,
  type Sandbox,
  SandboxGone,
  type SandboxProvider,
} from "../../components/sandbox/provider.ts";
import type { SandboxSpec } from "../../components/sandbox/spec.ts";

export interface ProviderUnderTest {
  readonly provider: SandboxProvider;
  readonly spec: SandboxSpec;
  /** Another instance on the same place, as after a restart of the service. */
  reopened(): SandboxProvider;
  end(): Promise<void>;
}

/** What every provider of sandboxes must do. Differences are in its capabilities alone. */
export function describeProvider(name: string, start: () => Promise<ProviderUnderTest>): void {
  describe(`the provider ${name}`, () => {
    let lab: ProviderUnderTest;
    let image: string;
    let shared: Sandbox;
    const mark = `t${process.pid}-${Date.now().toString(36)}`;
    const started: Sandbox[] = [];
    let number = 0;

    const create = async (options: Partial<CreateOptions> = {}): Promise<Sandbox> => {
      number += 1;
      const sandbox = await lab.provider.create({
        id: `${mark}-${number}`,
        spec: lab.spec,
        image,
        volumes: {},
        labels: { test: mark },
        ...options,
      });
      started.push(sandbox);
      return sandbox;
    };
    const sh = (sandbox: Sandbox, script: string, options: Partial<Parameters<Sandbox["exec"]>[1]> = {}) =>
      sandbox.exec(["sh", "-c", script], { timeoutSeconds: 60, ...options });
    const outputOf = async (sandbox: Sandbox, script: string) => (await sh(sandbox, script)).stdout.trim();

    beforeAll(async () => {
      lab = await start();
      image = await lab.provider.prepareImage({ spec: lab.spec });
      shared = await create();
    });
    afterAll(async () => {
      await Promise.all(started.map((sandbox) => sandbox.terminate()));
      await lab?.end();
    });

    test("the image's id stays the same", async () => {
      expect(await lab.provider.prepareImage({ spec: lab.spec })).toBe(image);
    });

    describe("exec", () => {
      test("returns what a program printed, and its exit code", async () => {
        expect(await sh(shared, "echo out; echo err >&2; exit 3")).toEqual({
          code: 3,
          stdout: "out\n",
          stderr: "err\n",
        });
      });

      test("passes arguments as they are", async () => {
        const args = ["", "a b", "$HOME", "'\"`\\", "*", "ä\n", "-e", "--"];
        const { stdout } = await shared.exec(["printf", "%s|", ...args], { timeoutSeconds: 60 });
        expect(stdout).toBe(args.map((arg) => `${arg}|`).join(""));
      });

      test("gives a program its input, of which it may read less", async () => {
        expect(await sh(shared, "cat", { stdin: "ä\nb" })).toMatchObject({ code: 0, stdout: "ä\nb" });
        expect(await sh(shared, "cat")).toMatchObject({ code: 0, stdout: "" });
        expect(await sh(shared, "exit 4", { stdin: "x".repeat(1 << 20) })).toMatchObject({ code: 4 });
        const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
        expect((await sh(shared, "od -An -v -tu1", { stdin: bytes })).stdout.trim().split(/\s+/).map(Number)).toEqual([
          ...bytes,
        ]);
      });

      test("gives a program 100 MB of input", async () => {
        const { stdout } = await sh(shared, "wc -c", { stdin: new Uint8Array(100 * 1024 * 1024), timeoutSeconds: 120 });
        expect(Number(stdout)).toBe(100 * 1024 * 1024);
      });

      test("runs a program in a folder, with variables, and none of this process's", async () => {
        process.env["SANDBOX_CANARY"] = "canary";
        try {
          const { stdout } = await sh(shared, "pwd; env", { cwd: "/tmp", env: { A: "a b", EMPTY: "", LINES: "x\ny" } });
          if (lab.provider.capabilities.isolation !== "none") expect(stdout).toMatch(/^\/tmp\n/);
          expect(stdout).toMatch(/^A=a b$/m);
          expect(stdout).toMatch(/^EMPTY=$/m);
          expect(stdout).toMatch(/^LINES=x\ny$/m);
          expect(stdout).toMatch(/^HOME=\/.*root$/m);
          expect(stdout).not.toContain("canary");
        } finally {
          delete process.env["SANDBOX_CANARY"];
        }
      });

      test("has no variable's value in any argv", async () => {
        const secret = `secret-${mark}`;
        const script = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '";
        const { stdout } = await sh(shared, script, { env: { TOKEN: secret } });
        expect(stdout).toContain("/proc/");
        expect(stdout).not.toContain(secret);
      });

      test("reports output as it arrives, each stream in order, and never half a character", async () => {
        const pieces: string[] = [];
        const script = "printf '\\342\\202'; sleep 0.3; printf '\\254'; sleep 0.3; seq 2000; echo err >&2";
        const { stdout } = await sh(shared, script, {
          onOutput: (text, stream) => {
            if (stream === "stdout") pieces.push(text);
          },
        });
        expect(pieces[0]).toBe("€");
        expect(pieces.length).toBeGreaterThan(1);
        expect(pieces.join("")).toBe(stdout);
        expect(stdout).toBe(`€${Array.from({ length: 2000 }, (_, index) => `${index + 1}\n`).join("")}`);
      });

      test("returns 127 for a program that does not exist", async () => {
        expect((await shared.exec(["no-such-program"], { timeoutSeconds: 60 })).code).toBe(127);
      });

      test("does not run a program in a folder that does not exist", async () => {
        const { code, stdout } = await sh(shared, "echo ran", { cwd: "/workspace/nothing" });
        expect(code).not.toBe(0);
        expect(stdout).toBe("");
      });

      test("returns 124 when the time is over, and ends all its processes", async () => {
        const end = await sh(shared, "echo a; sleep 4242 & sleep 4242", { timeoutSeconds: 1 });
        expect(end).toMatchObject({ code: 124, stdout: "a\n" });
        expect(await processesLike(shared, "4242")).toBe("0");
      });

      test("returns 130 when the signal is aborted, and ends all its processes", async () => {
        const abort = new AbortController();
        // Without isolation, a process in a session of its own can't be found.
        const other = lab.provider.capabilities.isolation === "none" ? "" : "setsid ";
        const end = await sh(shared, `sleep 4343 & echo a; ${other}sleep 4343`, {
          signal: abort.signal,
          onOutput: () => abort.abort(),
        });
        expect(end.code).toBe(130);
        expect(await processesLike(shared, "4343")).toBe("0");
        expect(await sh(shared, "echo x", { signal: abort.signal })).toMatchObject({ code: 130, stdout: "" });
      });

      test("ends what a program leaves running", async () => {
        expect(await sh(shared, "sleep 4444 & echo a")).toMatchObject({ code: 0, stdout: "a\n" });
        expect(await processesLike(shared, "4444")).toBe("0");
      });

      test("ends a program that prints more than it may, and keeps its output only if it is wanted", async () => {
        const limits = { maxOutput: 1000, timeoutSeconds: 60 };
        const { code, stdout, stderr } = await sh(shared, "yes; sleep 4545", limits);
        expect({ code, stderr }).toEqual({ code: 137, stderr: "\nkilled: it printed more than 1000 characters\n" });
        expect(stdout.length).toBeGreaterThan(1000);
        expect(await sh(shared, "seq 1000", { ...limits, keepsOutput: false })).toMatchObject({
          code: 137,
          stdout: "",
        });
        expect(await sh(shared, "echo next", limits)).toEqual({ code: 0, stdout: "next\n", stderr: "" });
        let seen = "";
        const onOutput = (text: string) => {
          seen += text;
        };
        const end = await sh(shared, "echo a", { keepsOutput: false, onOutput });
        expect({ ...end, seen }).toEqual({ code: 0, stdout: "", stderr: "", seen: "a\n" });
      });

      test("runs several programs at once", async () => {
        const ends = await Promise.all(Array.from({ length: 8 }, (_, index) => sh(shared, `sleep 0.2; echo ${index}`)));
        expect(ends.map(({ stdout }) => Number(stdout))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      });

      const processesLike = (sandbox: Sandbox, text: string) =>
        outputOf(
          sandbox,
          `n=0; for p in /proc/[0-9]*; do [ "$(tr '\\0' ' ' < $p/cmdline 2>/dev/null)" = "sleep ${text} " ] && n=$((n+1)); done; echo $n`,
        );
    });

    describe("its files", () => {
      test("has /workspace, /root, /tmp and the image's /app, and keeps what is written", async () => {
        const where =
          lab.provider.capabilities.isolation === "none" ? "/workspace /root /tmp" : "/workspace /root /tmp /app";
        for (const folder of where.split(" ").filter((each) => each !== "/app")) {
          expect(await sh(shared, `echo kept > ${folder}/file`), folder).toMatchObject({ code: 0, stderr: "" });
          expect(await outputOf(shared, `cat ${folder}/file`)).toBe("kept");
        }
        expect((await sh(shared, "cat /app/AGENTS.md")).stdout).toContain("# Harvest Agent");
        expect(JSON.parse((await sh(shared, "cat /app/memory-seed.json")).stdout).entities).not.toHaveLength(0);
      });

      test("shares nothing with another sandbox", async () => {
        const other = await create();
        await sh(shared, "echo mine | tee /workspace/mine /root/mine /tmp/mine");
        expect(await outputOf(other, "ls /workspace /root /tmp")).not.toContain("mine");
      });
    });

    describe("its life", () => {
      test("can be opened by another process, until it is terminated", async () => {
        const sandbox = await create();
        await sh(sandbox, "echo here > /workspace/here");
        const again = await lab.reopened().open(sandbox.id);
        expect(again?.id).toBe(sandbox.id);
        expect(again && (await outputOf(again, "cat /workspace/here"))).toBe("here");
        await again?.terminate();
        await again?.terminate();
        await sandbox.terminate();
        expect(await lab.provider.open(sandbox.id)).toBeUndefined();
        await expect(sh(sandbox, "true")).rejects.toThrow(SandboxGone);
        await expect(sandbox.snapshot()).rejects.toThrow();
      });

      test("terminating it ends what runs in it", async () => {
        const sandbox = await create();
        const running = sh(sandbox, "echo up; sleep 60", { onOutput: () => void sandbox.terminate() });
        await expect(running).rejects.toThrow(SandboxGone);
      });

      test("opening it ends what runs in it", async () => {
        const sandbox = await create();
        const running = sh(sandbox, "echo up; sleep 60", { onOutput: () => void lab.reopened().open(sandbox.id) });
        const { code } = await running;
        expect(code).not.toBe(0);
        expect(code, "it was not ended, but its time was over").not.toBe(124);
        expect(await sh(sandbox, "echo a")).toMatchObject({ code: 0 });
      });

      test("one that never existed can't be opened", async () => {
        for (const id of [`${mark}-none`, "..", "../x", ""]) expect(await lab.provider.open(id)).toBeUndefined();
      });

      test("is listed by its labels while it lives", async () => {
        const labels = { test: mark, session: `${mark}-s` };
        const sandbox = await create({ labels });
        const [listed, ...others] = await lab.reopened().list({ session: `${mark}-s` });
        expect(others).toEqual([]);
        expect(listed).toMatchObject({ id: sandbox.id, labels });
        expect(Date.now() - Date.parse(listed?.createdAt ?? "")).toBeLessThan(600_000);
        expect(await lab.provider.list({ session: `${mark}-s`, test: "other" })).toEqual([]);
        expect((await lab.provider.list({ test: mark })).map(({ id }) => id)).toContain(sandbox.id);
        await sandbox.terminate();
        expect(await lab.provider.list({ session: `${mark}-s` })).toEqual([]);
      });

      test("a second one of the same id is refused, and the first stays", async () => {
        const sandbox = await create();
        await expect(create({ id: sandbox.id })).rejects.toThrow(/create/);
        started.pop();
        started.push(sandbox);
        expect(await sh(sandbox, "echo a")).toMatchObject({ code: 0 });
      });

      test("one whose creation fails is not listed", async () => {
        const id = `${mark}-failed`;
        await expect(create({ id, snapshot: "no-such-snapshot" })).rejects.toThrow(/create/);
        expect((await lab.provider.list({ test: mark })).map((each) => each.id)).not.toContain(id);
        expect(await lab.provider.open(id)).toBeUndefined();
        const aborted = AbortSignal.abort();
        await expect(create({ id: `${mark}-aborted`, signal: aborted })).rejects.toThrow();
        expect((await lab.provider.list({ test: mark })).map((each) => each.id)).not.toContain(`${mark}-aborted`);
      });

      test("several can be made at once", async () => {
        const sandboxes = await Promise.all(Array.from({ length: 5 }, () => create()));
        const hosts = await Promise.all(sandboxes.map((each, index) => outputOf(each, `echo ${index}`)));
        expect(hosts).toEqual(["0", "1", "2", "3", "4"]);
      });
    });

    describe("access to an API", () => {
      const api = createServer((incoming, outgoing) =>
        outgoing.end(String(incoming.headers["x-api-key"] === "the key")),
      );
      let baseUrl = "";
      beforeAll(async () => {
        await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
        const address = api.address();
        if (typeof address === "object") baseUrl = `http://127.0.0.1:${address?.port}`;
      });
      afterAll(() => api.close());
      const accessIn = (sandbox: Sandbox): ApiAccess => {
        const access = sandbox.accessApi?.({ kind: "anthropic", baseUrl, credential: ["x-api-key", "the key"] });
        if (access === undefined) throw new Error("its programs get the key");
        return access;
      };
      const request = (sandbox: Sandbox, { url, token }: ApiAccess) =>
        outputOf(sandbox, `curl -s -w ' %{http_code}' -d '{}' -H 'x-api-key: ${token}' ${url}/v1/messages`);

      test("is by a token for one sandbox, until it ends, and after a restart of the service", async (context) => {
        if (!lab.provider.capabilities.broker) {
          expect(shared.accessApi).toBeUndefined();
          return context.skip("this provider keeps no key outside of its sandboxes");
        }
        // Of what it may connect to, the API is no part.
        const spec = { ...lab.spec, runtime: "claude", allowDomains: [] };
        const sandbox = await create({ spec });
        const access = accessIn(sandbox);
        expect(await request(sandbox, access)).toBe("true 200");
        expect(access.token).not.toContain("the key");
        const other = await create({ spec });
        expect(accessIn(other).token).not.toBe(access.token);
        expect(await request(other, access)).toMatch(/ 401$/);
        access.end();
        accessIn(sandbox);
        expect(await request(sandbox, access)).toMatch(/ 401$/);

        const again = await lab.reopened().open(sandbox.id);
        if (again === undefined) throw new Error("it can't be opened again");
        expect(await request(again, accessIn(again))).toBe("true 200");
      });
    });

    describe("volumes", () => {
      test("outlive sandboxes, are shared by name, and invisible without it", async () => {
        const name = `harvest-memory-${mark}-a`;
        expect(await lab.provider.ensureVolume(name)).toBe(true);
        expect(await lab.provider.ensureVolume(name)).toBe(false);
        const volumes = { "/root/.mcp-memory": name };
        const first = await create({ volumes });
        await sh(first, "echo remembered > /root/.mcp-memory/memory.jsonl");
        await first.terminate();
        const second = await create({ volumes });
        expect(await outputOf(second, "cat /root/.mcp-memory/memory.jsonl")).toBe("remembered");
        const third = await create({ volumes: { "/root/.mcp-memory": `harvest-memory-${mark}-b` } });
        expect(await outputOf(third, "ls /root/.mcp-memory")).toBe("");
        const fourth = await create();
        expect(await outputOf(fourth, "ls -A /root/.mcp-memory 2>/dev/null")).toBe("");
      });
    });

    describe("snapshots", () => {
      test("start another sandbox with the same files, without the volumes'", async (context) => {
        if (!lab.provider.capabilities.snapshots) return context.skip("this provider has no snapshots");
        const volumes = { "/root/.mcp-memory": `harvest-memory-${mark}-c` };
        const sandbox = await create({ volumes });
        const script = `mkdir -p /workspace/repo/ro && cd /workspace/repo && echo "#!/bin/sh" > run && chmod 755 run &&
          ln -s /etc/passwd outside && ln -s run inside && echo x > ro/file && chmod 500 ro &&
          echo volume > /root/.mcp-memory/file && echo home > /root/file`;
        expect(await sh(sandbox, script)).toMatchObject({ code: 0, stderr: "" });
        const snapshot = await sandbox.snapshot();
        await sh(sandbox, "rm /root/file");
        await sandbox.terminate();
        const restored = await create({ snapshot });
        expect(
          await outputOf(restored, "cat /root/file; cd /workspace/repo; readlink outside inside; stat -c %a run ro"),
        ).toBe("home\n/etc/passwd\nrun\n755\n500");
        if (lab.provider.capabilities.isolation !== "none") {
          expect(await outputOf(restored, "ls -A /root/.mcp-memory 2>/dev/null")).toBe("");
        }
        const twice = await create({ snapshot, volumes });
        expect(await outputOf(twice, "cat /root/.mcp-memory/file /root/file")).toBe("volume\nhome");
        await lab.provider.removeSnapshot(snapshot);
        await lab.provider.removeSnapshot(snapshot);
        await expect(create({ snapshot })).rejects.toThrow(/create/);
        expect(await outputOf(restored, "cat /root/file")).toBe("home");
      });
    });
  });
}
