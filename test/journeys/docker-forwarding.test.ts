import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { adminRequest } from "../../components/web/forwarding/admin-client.ts";
import { containerName, volumeName } from "../../components/web/forwarding/docker/names.ts";
import { forwardingState } from "../../components/web/forwarding/state.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { imageArguments } from "../support/forwarding-image.ts";
import { freePort } from "../support/free-port.ts";
import { SmallBrowser } from "../support/small-browser.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";
import { agentIdOf, loginUrl } from "../support/web-stack.ts";
import { withDocker } from "../support/with-docker.ts";

const inspected = z.object({
  Id: z.string(),
  RestartCount: z.number(),
  State: z.object({ Running: z.boolean(), Pid: z.number() }),
  Config: z.object({ Image: z.string(), User: z.string(), Env: z.array(z.string()) }),
  HostConfig: z.object({ NetworkMode: z.string(), PidMode: z.string() }),
});

await withDocker("the forwarding server in Docker", (engine) => {
  const { docker, env, end } = engine;
  const base = `changelings-test-forwarding:${randomBytes(6).toString("hex")}`;
  let stack: TestStack;
  let source: WebAgentRepo;
  let port: number;
  let buildArgs: string[];
  let container: string;
  let browser: SmallBrowser;

  beforeAll(async () => {
    vi.stubEnv("DOCKER_HOST", env.DOCKER_HOST);
    stack = makeTestStack({ ...env, MNGR__PROVIDERS__MODAL__IS_ENABLED: "false" });
    source = new WebAgentRepo();
    container = containerName(installationOf(stack.stack));
    [port, buildArgs] = await Promise.all([freePort(), imageArguments(engine, base)]);
    browser = new SmallBrowser(port);
  });
  afterAll(async () => {
    await stopForwardingServer(installationOf(stack.stack), stack.home);
    await stack.remove();
    source[Symbol.dispose]();
    await docker("image", "rm", "--force", base, `${base}-kept`).catch(() => {});
    await end(installationOf(stack.stack));
    vi.unstubAllEnvs();
  });

  const declare = (provider: "docker" | "local", ...more: string[]) => {
    const args = provider === "docker" ? [`build_args = ${JSON.stringify(buildArgs)}`] : [];
    const forwarding = ["[forwarding]", `provider = "${provider}"`, `port = ${port}`, 'routing = "path"', ...args];
    const elena = ["[changelings.elena]", 'kind = "web"', `source = "file://${source.folder}"`];
    stack.declare([...forwarding, ...more, ...elena, ""].join("\n"));
  };
  const up = async () => {
    const { code, stdout, stderr } = await stack.up();
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };
  const inspect = async () => inspected.parse(JSON.parse(await docker("inspect", "--format", "{{json .}}", container)));
  const page = async () => (await browser.open(`/${agentIdOf(stack, "elena")}/`)).body;
  const eventually = async (what: () => Promise<string | boolean>, is: string | boolean = true) =>
    expect.poll(() => what().catch(String), { timeout: 30_000, interval: 200 }).toBe(is);

  /** Uses up a login URL. @returns what came of it */
  async function logIn(url: string): Promise<number> {
    const { statuses } = await browser.open(url.replace("/login?", "/authenticate?"));
    return statuses[0] ?? 0;
  }

  it("runs in a container of the person's own, on the machine's network", async () => {
    declare("docker");
    await up();
    expect(forwardingState(stack.paths).alive).toBe(false);
    const { Config, HostConfig, State } = await inspect();
    expect(State.Running).toBe(true);
    expect([Config.User, HostConfig]).toEqual([
      `${process.getuid?.()}:${process.getgid?.()}`,
      { NetworkMode: "host", PidMode: "host" },
    ]);
    expect(Config.Env).toContain(`PORT=${port}`);
    // Its layers stay in Docker's cache under another name, so that no test waits for a second build.
    await docker("tag", Config.Image, `${base}-kept`);
    expect(await stack.preview()).toEqual({});
  });

  it("leads to an agent on this machine, after a login by a URL that works once", async () => {
    const url = await loginUrl(stack, "elena");
    expect(await logIn(url)).toBe(302);
    await eventually(page, "first\n");
    expect(await logIn(url)).toBe(403);
    const views = await adminRequest(stack.paths.forwarding, { op: "agents" });
    expect(views).toMatchObject([{ name: "elena", provider: "local", state: "online" }]);
  });

  it("is started again by Docker when it crashes, and has kept its key and its logins", async () => {
    const { Id, State } = await inspect();
    // The daemon may count processes by itself, as the container does: here that number can be anybody's.
    await docker("exec", Id, "sh", "-c", `kill -9 ${State.Pid}`).catch(() => {});
    await eventually(async () => {
      const now = await inspect();
      return now.Id === Id && now.State.Pid !== State.Pid && now.RestartCount === 1 && now.State.Running;
    });
    await eventually(page, "first\n");
    expect(await stack.preview()).toEqual({});
  });

  it("another config replaces the container, and the logins stay", async () => {
    const before = await inspect();
    declare("docker", 'code_ttl = "1h"');
    expect(await stack.preview()).toEqual({
      "docker:index/container:Container forwarding-container": "replace",
      "command:local:Command forwarding": "update",
    });
    await up();
    const after = await inspect();
    expect(after.Id).not.toBe(before.Id);
    expect(after.Config.Env).toContain("CODE_TTL_SECONDS=3600");
    await eventually(page, "first\n");
  });

  it("one that was removed by hand is drift, and comes back with its logins", async () => {
    await docker("rm", "--force", container);
    await expect(adminRequest(stack.paths.forwarding, { op: "status" })).rejects.toThrow("is not running");
    const { stdout } = await stack.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"]);
    expect(stdout).toMatch(/its container is gone \(repair 1\)/);
    await up();
    await eventually(page, "first\n");
    expect(await stack.preview()).toEqual({});
  });

  it("gives its port to the one on this machine in one up, and then nothing of it is left in Docker", async () => {
    declare("local");
    await up();
    expect(forwardingState(stack.paths).alive).toBe(true);
    await expectNothingInDocker();
    expect(await logIn(await loginUrl(stack, "elena"))).toBe(302);
    await eventually(page, "first\n");
  });

  it("takes the port back, and is removed with its volume and its image", async () => {
    declare("docker");
    await up();
    expect(forwardingState(stack.paths).alive).toBe(false);
    expect((await inspect()).State.Running).toBe(true);
    const { code } = await stack.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
    expect(code).toBe(0);
    await expectNothingInDocker();
    expect(existsSync(stack.paths.forwarding)).toBe(false);
  });

  async function expectNothingInDocker(): Promise<void> {
    const installation = installationOf(stack.stack);
    expect(await docker("ps", "--all", "--quiet", "--filter", `name=${container}`)).toBe("");
    expect(await docker("volume", "ls", "--quiet", "--filter", `name=${volumeName(installation)}`)).toBe("");
    expect(await docker("image", "ls", "--quiet", "--filter", `reference=*:${installation}-*`)).toBe("");
  }
});
