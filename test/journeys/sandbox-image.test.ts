import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { dockerSandboxes } from "../../components/sandbox/docker/provider.ts";
import { imageMcpServers } from "../../components/sandbox/image/mcp-servers.ts";
import { memoryLines } from "../../components/sandbox/image/memory-seed.ts";
import type { Sandbox } from "../../components/sandbox/provider.ts";
import { memoryPath } from "../../components/sandbox/spec.ts";
import { describeAgents } from "../contracts/agents-in-sandboxes.ts";
import { describeProvider } from "../contracts/sandbox-provider.ts";
import { testRepository } from "../contracts/sandbox-repository.ts";
import { makeTestStack } from "../engine/test-stack.ts";
import { callMcp } from "../support/call-mcp.ts";
import { runScript } from "../support/run-script.ts";
import { sandboxImage } from "../support/sandbox-image.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

/** The base image of sandboxes as users get it, with every part of it in use. */

const built = await sandboxImage();
if (typeof built === "string") {
  test("the base image", ({ skip }) => skip(`it can't be built here: ${built}`));
} else {
  const { engine, variables, image, dockerfile, proxy, log } = built;
  const env = { ...process.env, ...variables };
  const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
  const open = (folder = sandboxes) => dockerSandboxes({ installation: "image", sandboxes: folder, env });
  afterAll(async () => {
    await built[Symbol.asyncDispose]();
    rmSync(sandboxes, { recursive: true, force: true });
  });

  const seconds = 120;
  const sh = async (sandbox: Sandbox, script: string) => {
    const { code, stdout, stderr } = await sandbox.exec(["sh", "-c", script], { timeoutSeconds: seconds });
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const started = async (id: string) => {
    const spec = sandboxSpec({ provider: "docker", memoryGb: 2 });
    const sandbox = await open().create({ id, spec, image, volumes: {}, labels: {} });
    return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.terminate() });
  };
  const layersOf = async (name: string): Promise<string[]> =>
    z
      .array(z.string())
      .parse(JSON.parse(await engine.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", name)));

  describe("the image", () => {
    test("has every part, and each of them works", async () => {
      await using sandbox = await started("verify");
      const { code, stdout, stderr } = await sandbox.exec(["node", "/app/verify.mjs"], { timeoutSeconds: 600 });
      const { ok, missing, failedOptional, parts } = JSON.parse(stdout);
      expect({ code, ok, missing, failedOptional }, stdout + stderr).toEqual({
        ...{ code: 0, ok: true, missing: [], failedOptional: [] },
      });
      const versions = Object.fromEntries(parts.map(({ name, version }: Record<string, string>) => [name, version]));
      expect(versions).toMatchObject({
        node: expect.stringMatching(/^v22\./),
        python3: expect.stringMatching(/^Python 3\.11\./),
        claude: expect.stringMatching(/Claude Code/),
        codex: expect.stringMatching(/^codex/),
      });
    });

    test("has MCP servers that the official client uses, and whose browsers open a page", async () => {
      await using sandbox = await started("mcp");
      const { memory, filesystem, playwright, devtools } = imageMcpServers();
      const seeded = await sandbox.exec(["sh", "-c", `cat > ${memoryPath}`], {
        ...{ timeoutSeconds: seconds, stdin: memoryLines() },
      });
      expect(seeded.code).toBe(0);
      expect(await callMcp(sandbox, memory, [["search_nodes", { query: "stash" }]])).toContain("safe-carry-forward");
      await sh(sandbox, "echo text > /workspace/file");
      const read = await callMcp(sandbox, filesystem, [["read_text_file", { path: "/workspace/file" }]]);
      expect(read).toContain("text");
      const page = "<title>Shop</title><body><script>document.body.append('six times seven is ' + 6 * 7)</script>";
      const serve = `require("http").createServer((_, answer) => answer.setHeader("content-type", "text/html").end(${JSON.stringify(page)})).listen(8000, "127.0.0.1")`;
      await engine.docker("exec", "--detach", "changelings-sandbox-mcp", "node", "-e", serve);
      const url = "http://127.0.0.1:8000/";
      await sh(sandbox, `curl -sf --retry 60 --retry-delay 1 --retry-connrefused ${url}`);
      const seen = await callMcp(sandbox, playwright, [
        ["browser_navigate", { url }],
        ["browser_snapshot", {}],
      ]);
      expect(seen).toContain("six times seven is 42");
      // `git add -A`, which AGENTS.md prescribes, would commit it.
      expect(await sh(sandbox, "ls -A /workspace")).toBe("file\n");
      const inspected = await callMcp(sandbox, devtools, [
        ["new_page", { url }],
        // The first page is empty.
        ["take_snapshot", { pageId: 2 }],
        ["list_network_requests", { pageId: 2 }],
      ]);
      expect(inspected).toContain("six times seven is 42");
    });

    test("has no leftovers of its build, and no secret", async () => {
      await using sandbox = await started("leftovers");
      const leftovers =
        "ls -A /var/lib/apt/lists /tmp /root/.npm 2>/dev/null; find /var/cache/apt -name '*.deb'; ls /etc/apt/apt.conf.d";
      expect(await sh(sandbox, `${leftovers} || true`)).not.toMatch(
        /dists|InRelease|_cacache|node-compile-cache|\.deb|changelings/,
      );
      const described = await engine.docker("image", "inspect", image);
      const history = await engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image);
      for (const text of [described, history, (log ?? []).join("\n")]) {
        expect(text).not.toContain("proxy-password");
        expect(text).not.toMatch(/_authToken|PRIVATE KEY|ghp_|sk-ant-/);
      }
      const bytes = Number(await engine.docker("image", "inspect", "--format", "{{.Size}}", image));
      expect(bytes).toBeLessThan(2.6e9);
    });

    test("does not show a sandbox the proxies of docker's client", async () => {
      await using sandbox = await started("proxies");
      expect(await sh(sandbox, "env; cat /proc/1/environ")).not.toContain(new URL(proxy).host);
      expect(await engine.docker("inspect", "changelings-sandbox-proxies")).not.toContain("proxy-password");
    });

    /** Like the provider's build, with the image's layers as its cache. @returns the id */
    const buildAgain = async (text: string) => {
      const folder = mkdtempSync(join(sandboxes, "build-"));
      writeFileSync(join(folder, "Dockerfile"), text);
      const args = ["build", "--quiet", "--cache-from", image, folder];
      // The proxies of the client's configuration are a part of what Docker compares.
      return (await promisify(execFile)("docker", args, { env })).stdout.trim();
    };

    test("is the same when it is built again", async () => {
      expect(await buildAgain(dockerfile)).toBe(await engine.docker("image", "inspect", "--format", "{{.Id}}", image));
    });

    test("is built again from its files alone when only these change", async () => {
      const [before, after] = [
        await layersOf(image),
        await layersOf(await buildAgain(dockerfile.replace(" > /app/AGENTS.md", " > /app/AGENTS.md && true"))),
      ];
      const shared = before.filter((layer, index) => after[index] === layer).length;
      const files = dockerfile.match(/ > \/app\//g)?.length ?? 0;
      expect(shared).toBe(before.length - files);
      const large = (await engine.docker("history", "--format", "{{.Size}}", image)).split("\n").slice(0, files + 2);
      for (const size of large) expect(size).toMatch(/^[\d.]+k?B$/);
    });
  });

  describe("on the image", () => {
    const spec = sandboxSpec({ provider: "docker", memoryGb: 1, cpu: 1 });
    describeProvider("docker", async () => ({ provider: open(), spec, reopened: open, end: async () => {} }));
    testRepository({
      open: async (port) => ({ provider: open(), spec: { provider: "docker", allowDomains: [`127.0.0.1:${port}`] } }),
    });
    describeAgents("docker", ["claude", "codex"], (folder) => open(folder));
  });

  test("`changeling sandbox` starts sandboxes of it, and sends them prompts", async () => {
    const stack = makeTestStack(variables);
    try {
      const repo = join(stack.home, "app");
      mkdirSync(repo);
      const git = ["-c", "user.name=Me", "-c", "user.email=me@example.com", "-C", repo];
      execFileSync("git", ["init", "--quiet", "--initial-branch=main", repo]);
      execFileSync("git", [...git, "commit", "--quiet", "--allow-empty", "--message=First"]);
      stack.declare(`[changelings.example]\nkind = "sandbox"\nprovider = "docker"\nrepo = "${repo}"\n`);
      const applied = await stack.up();
      expect(applied.code, applied.stdout + applied.stderr).toBe(0);
      const sandbox = (...args: string[]) => runScript("changeling", ["sandbox", ...args], stack.env);
      const { code, stdout, stderr } = await sandbox("start", "example");
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/^session [0-9a-f]{20} of example is ready on branch main\n/);
      const sent = await sandbox("send", "example", "List files in repository");
      expect(sent.stdout).toMatch(/^\[STUB RESPONSE\]\nReceived prompt: List files in repository\n/);
      const used = await engine.docker("ps", "--filter", "label=changelings-sandbox", "--format", "{{.Image}}");
      expect(used.split("\n")).toContain(image);
    } finally {
      await runScript("changeling", ["sandbox", "stop", "example"], stack.env);
      await stack.remove();
    }
  });
}
