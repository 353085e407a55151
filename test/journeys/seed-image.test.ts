import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Server } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { imageSources } from "../../components/docker/image-sources.ts";
import { openSeedAgent } from "../../components/seed-agent/client.ts";
import { ensureImage } from "../../components/seed-agent/docker/image.ts";
import { containerName } from "../../components/seed-agent/docker/names.ts";
import { dockerSeedAgents } from "../../components/seed-agent/docker/provider.ts";
import { contextFor } from "../../components/seed-agent/image/context.ts";
import type { SeedAgentSpec } from "../../components/seed-agent/spec.ts";
import { step } from "../../scripts/stack/setup/progress.mjs";
import { startFakeAnthropic } from "../support/fake-model-api/anthropic.ts";
import type { FakeModelApi } from "../support/fake-model-api/server.ts";
import { portOf } from "../support/fault-proxy.ts";
import { freePort } from "../support/free-port.ts";
import { forward, gatewayOf, mirroredDocker } from "../support/image-mirrors.ts";
import { node24 } from "../support/node-base.ts";
import { teaAnswer } from "../support/seed-agent/tea-answer.ts";
import { seedSpec } from "../support/seed-spec.ts";

/** The seed agent's image with the CLIs of its models, built from a company's mirrors, as users get it. */

const minutes = 60_000;
const mirrored = await mirroredDocker(node24);
if (typeof mirrored === "string") {
  test("the seed agent's image", ({ skip }) => skip(`it can't be built here: ${mirrored}`));
} else {
  const { engine, variables, base, folder, proxy } = mirrored;
  const env = { ...process.env, ...variables };
  const owner = { installation: "image", name: "sprout" };
  const build = (spec: Partial<SeedAgentSpec>) =>
    ensureImage(owner, seedSpec({ provider: "docker", mode: "propose", ...spec }), { env, folder });
  /** As the service runs: its user, no network, and only /data and /tmp to write to. */
  const inImage = (image: string, ...command: string[]) => {
    const limits = ["--read-only", "--network=none", "--tmpfs=/tmp", "--tmpfs=/data:uid=10001,gid=10001"];
    return engine.docker("run", "--rm", ...limits, "--entrypoint=sh", image, "-c", command.join(" "));
  };
  const layersOf = async (image: string): Promise<string[]> =>
    z
      .array(z.string())
      .parse(JSON.parse(await engine.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)));

  beforeAll(async () => {
    await engine.docker("import", "--change", 'CMD ["node"]', base.tarball, base.name);
  }, 5 * minutes);
  afterAll(async () => mirrored[Symbol.asyncDispose](), minutes);

  describe.each(["claude", "codex"] as const)("the image with %s", (model) => {
    let image: string;

    beforeAll(async () => {
      image = await step(`Building the seed agent's image with ${model} (some minutes)`, () => build({ model }));
    }, 20 * minutes);

    test("has the CLI, which runs as the service's user", { timeout: 2 * minutes }, async () => {
      expect(await inImage(image, "id -u")).toBe("10001");
      expect(await inImage(image, model, "--version")).toMatch(model === "claude" ? /Claude Code/ : /^codex/);
      expect(await inImage(image, "ls /opt/seed-agent/clis/bin")).toBe(model);
    });

    test("has what the service needs", { timeout: 2 * minutes }, async () => {
      expect(await inImage(image, "node --version")).toBe(`v${node24.version}`);
      expect(await inImage(image, "bwrap --version && tini --version")).toMatch(/^bubblewrap .*tini version/s);
      expect(await inImage(image, "ls /opt/seed-agent/node_modules")).toMatch(/^@esbuild\nesbuild\ntypescript$/);
    });

    test("trusts the company's authorities, in Node and elsewhere", { timeout: 2 * minutes }, async ({ skip }) => {
      const { certificates } = imageSources(env);
      if (certificates === undefined) return skip("this machine has none of its own");
      const [first = ""] = certificates.split("-----END CERTIFICATE-----");
      expect(await inImage(image, "cat $NODE_EXTRA_CA_CERTS")).toContain(first);
      expect(await inImage(image, "cat /etc/ssl/certs/ca-certificates.crt")).toContain(first);
    });

    test("has no leftovers of its build, and no secret", { timeout: 2 * minutes }, async () => {
      const places = "/var/lib/apt/lists /var/cache/apt/archives /root/.npm /tmp /etc/apt/apt.conf.d";
      const files = await engine.docker(
        ...["run", "--rm", "--network=none", "--user=0", "--entrypoint=sh", image, "-c"],
        `find ${places} -type f 2>/dev/null || true`,
      );
      expect(files).not.toMatch(/InRelease|_cacache|node-compile-cache|\.deb$|changelings/m);
      const texts = [
        await engine.docker("image", "inspect", image),
        await engine.docker("history", "--no-trunc", image),
      ];
      for (const text of texts) expect(text).not.toMatch(/proxy-password|_authToken|PRIVATE KEY|sk-ant-/);
      expect(texts.join()).not.toContain(new URL(proxy).host);
    });
  });

  test("a new release of the service does not install the CLIs again", { timeout: 10 * minutes }, async () => {
    const image = await build({ model: "claude" });
    const context = join(folder, "next");
    await contextFor({ folder: context, clis: ["claude"], sources: imageSources(env) });
    for (const name of ["package.json", "package-lock.json"]) {
      const path = join(context, name);
      const content = z.looseObject({}).parse(JSON.parse(readFileSync(path, "utf8")));
      writeFileSync(path, JSON.stringify({ ...content, version: "9.9.9" }));
    }
    const { stdout } = await promisify(execFile)("docker", ["build", "--quiet", context], { env });
    const [before, after] = [await layersOf(image), await layersOf(stdout.trim())];
    const shared = before.findIndex((layer, index) => after[index] !== layer);
    const sizes = (await engine.docker("history", "--format", "{{.Size}} {{.CreatedBy}}", image)).split("\n").reverse();
    const layers = sizes.filter((line) => !line.startsWith("0B"));
    expect(layers.slice(0, shared).join("\n")).toContain("install-clis.sh");
    expect(layers.slice(shared).join("\n")).not.toContain("install-clis.sh");
  });

  describe("a seed agent on the image", () => {
    const secrets = {
      RELEASE_COOKIE: randomBytes(32).toString("base64url"),
      SEED_CONTROL_TOKEN: randomBytes(32).toString("base64url"),
      ANTHROPIC_API_KEY: "sk-lab-0123456789abcdef",
    };
    const provider = dockerSeedAgents({ env });
    let api: FakeModelApi;
    let gateway: Server;

    beforeAll(async () => {
      api = await startFakeAnthropic();
      const { port } = new URL(api.url);
      gateway = await forward(await gatewayOf(engine), () => connect(Number(port), "127.0.0.1"));
    });
    afterAll(async () => {
      await provider.remove(owner.name, { installation: owner.installation, folder, destroyData: true });
      gateway?.close();
      await api?.[Symbol.asyncDispose]();
    }, minutes);

    test("improves itself with the real Claude Code CLI", { timeout: 10 * minutes }, async () => {
      const port = await freePort();
      const goal = `Be polite.\n\n@@tool StructuredOutput ${await teaAnswer()}\n@@say done\n`;
      const spec = seedSpec({
        ...{ provider: "docker" as const, name: owner.name, replicas: 1, port, mode: "auto", model: "claude", goal },
        ...{ probationSeconds: 1, env: { CLAUDE_API_URL: `http://host.docker.internal:${portOf(gateway)}` } },
      });
      const { url = "" } = await provider.deploy(spec, {
        ...{ installation: owner.installation, folder, spec, release: "1.0.0-a", secrets },
      });
      const client = openSeedAgent({ url, token: secrets.SEED_CONTROL_TOKEN });
      expect(await client.status()).toMatchObject({ active: "v0", mode: "auto", fence: { name: "bubblewrap" } });
      const improvement = await client.improve();
      expect(improvement, improvement.reason).toMatchObject({ outcome: "submitted" });
      const state = async () => (await client.change(improvement.change?.id ?? "")).state;
      await expect.poll(state, { timeout: 2 * minutes, interval: 500 }).toBe("active");
      const headers = { authorization: `Bearer ${secrets.SEED_CONTROL_TOKEN}` };
      const tea = await fetch(`${url}/agent/tea`, { headers });
      expect(await tea.text()).toBe("Good day! Here is your tea.\n");
      const inspected = await engine.docker("inspect", containerName(owner, 0));
      for (const secret of Object.values(secrets)) expect(inspected).not.toContain(secret);
    });
  });
}
