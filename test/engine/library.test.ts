import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { schedulerState } from "../../components/cron/local/state.ts";
import { installations } from "../../components/host/claims.ts";
import { sessionsState } from "../../components/sandbox/sessions/state.ts";
import { release } from "../../components/seed-agent/image/context.ts";
import { freePort } from "../support/free-port.ts";
import { SmallBrowser } from "../support/small-browser.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";
import { compile } from "./compile.ts";
import { InstalledPackage, OtherProgram } from "./other-program.ts";

let installed: InstalledPackage;
/** Of all tests, as long as they succeed. */
let program: OtherProgram;
beforeAll(() => {
  installed = new InstalledPackage();
  program = new OtherProgram(installed);
});
afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  await program.remove();
  program = new OtherProgram(installed);
});
afterAll(async () => {
  await program.remove();
  installed.remove();
});

const preview = (...options: string[]) =>
  program.pulumi("preview", "--non-interactive", "--color", "never", ...options);

/** What a preview that fails prints. */
function refusal(): string {
  try {
    preview();
  } catch (error) {
    return String(error);
  }
  throw new Error("the preview did not fail");
}

describe("the package", () => {
  it.each([
    ["node", ["--module", "commonjs", "--moduleResolution", "node", "--esModuleInterop"]],
    ["node16", ["--module", "node16", "--moduleResolution", "node16"]],
    ["nodenext", ["--module", "nodenext"]],
    ["bundler", ["--module", "esnext", "--moduleResolution", "bundler"]],
  ])("has types under moduleResolution %s", (_name, resolution) => {
    const lines = [
      'import { CronChangeling } from "changelings";',
      'import { ForwardingServer, localWebs, WebChangeling, webOf } from "changelings/web";',
      'import { type AgentRuntime, SandboxChangeling, sandboxOf } from "changelings/sandbox";',
      'import { SeedAgentChangeling, seedAgentOf } from "changelings/seed-agent";',
      'import { chat, claudeCli, claudeCliLanguageModel, isMissingApiKey } from "changelings/models";',
      "export const answers = async () => [claudeCliLanguageModel.modelId, await chat([{ role: 'user', content: 'Hi' }])];",
      "export const model = claudeCli({ model: 'opus', env: { PATH: '/bin' } }).specificationVersion satisfies 'v4';",
      "export const missing: boolean = isMissingApiKey(new Error());",
      "// @ts-expect-error",
      "claudeCli({ modle: 'opus' });",
      "export const runtime = (given: AgentRuntime) => given.terminate();",
      "export async function declare(): Promise<string> {",
      'new SandboxChangeling("d", { repo: "me/app", runtime: "claude" });',
      'const volume: string = sandboxOf("d", { repo: "me/app" }).spec.branch;',
      'new CronChangeling("a", { repo: "/r", schedule: "0 6 * * *" });',
      'const local = await localWebs([webOf("b", { agentType: "chat" })]);',
      'const routing: "host" | "path" = new ForwardingServer("f").declared.routing;',
      'new WebChangeling("b", { agentType: "chat", local });',
      "// @ts-expect-error",
      'new WebChangeling("c", { agentTyp: "chat" });',
      "// @ts-expect-error",
      'new ForwardingServer("f", { port: "8420" });',
      "// @ts-expect-error",
      'new SandboxChangeling("e", { repo: "me/app", runtme: "claude" });',
      'new SeedAgentChangeling("f", { provider: "docker", mode: "propose" });',
      "// @ts-expect-error",
      'new SeedAgentChangeling("g", { mode: "automatic" });',
      'const port: number = seedAgentOf("f", {}).spec.port;',
      "return routing + volume + port; }",
    ];
    writeFileSync(join(program.folder, "typed.ts"), `${lines.join("\n")}\n`);
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2024", ...resolution];
    expect(compile(program.folder, [...options, "typed.ts"])).toBe("");
  });

  it("has a command, which says where its own commands work and what to use in a program", () => {
    const options = { cwd: program.folder, env: program.env, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync("npx", ["--no-install", "changeling", "list"], options);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .*\n.*pulumi up.*loginUrl.*npx changeling --help\n$/s);
    expect(stderr).not.toMatch(/\n +at /);
  });
});

describe("setup in the package", () => {
  it.each(["sandbox-tools", "wrangler"])("has the program that finds or installs %s", (name) => {
    expect(existsSync(join(installed.folder, "dist/scripts/stack/setup", `${name}.js`))).toBe(true);
  });
});

describe("the seed agent's image in the package", () => {
  it("is the release of the checkout", async () => {
    const context = "components/seed-agent/image/context.js";
    const built = join(installed.folder, "dist", context);
    const script = `import(${JSON.stringify(built)}).then(async ({ release }) => console.log(await release()))`;
    const printed = execFileSync(process.execPath, ["-e", script], { cwd: program.folder, encoding: "utf8" });
    expect(printed.trim()).toBe(await release());
  });
});

describe("wrong arguments in another program", () => {
  let refused: string;
  beforeAll(() => {
    program.write(
      'import { CronChangeling, changelingOf } from "changelings";',
      'import { ForwardingServer, WebChangeling, webOf } from "changelings/web";',
      "const rejected = [",
      '  () => changelingOf("beta", { provider: "moon" }),',
      '  () => webOf("gamma", { provider: "moon" }),',
      '  () => new ForwardingServer("forwarding", { port: 0, host: "0.0.0.0", codeTtlSeconds: 0.5 }),',
      '  () => new WebChangeling("elena", { source: "file:///srv/elena", provider: "modal" }),',
      "];",
      "for (const each of rejected) Promise.resolve().then(each);",
      'new CronChangeling("alpha", { repo: "/tmp", timezone: "Berlin", schedule: "0 0 6 * * *", agentType: "command" });',
    );
    refused = refusal();
  });

  it("are reported without a stack", () => {
    expect(refused).not.toMatch(/unhandled exception|\n +at /);
  });

  it.each([
    ["CronChangeling", /changeling "alpha" is not valid:\n +schedule: .*\n +timezone: /],
    ["ForwardingServer", /forwarding server "forwarding" is not valid:\n +port: .*\n +host: .*\n +codeTtlSeconds: /],
    ["WebChangeling", /changeling "elena" is not valid:\n +modal: .*required for provider "modal"/],
  ])("of a %s are all reported at once, by property", (_name, every) => {
    expect(refused).toMatch(every);
  });

  it.each([
    ["changelingOf", "beta"],
    ["webOf", "gamma"],
  ])("of %s are reported", (_name, changeling) => {
    expect(refused).toContain(`changeling ${changeling}: provider: `);
  });
});

describe("CronChangeling in another program", () => {
  it("has a scheduler of its own, shows nothing when nothing changed, survives its project's new name, and is removed", () => {
    const { home, folder, paths, installation } = program;
    program.write(
      'import { CronChangeling } from "changelings";',
      `const options = { repo: "${home}", timezone: "Europe/Berlin", agentType: "command", agentArgs: ["true"] };`,
      'new CronChangeling("alpha", options);',
    );
    program.up();
    expect(JSON.parse(readFileSync(join(paths.jobs, "alpha.json"), "utf8"))).toMatchObject({
      spec: { schedule: "0 3 * * *", timezone: "Europe/Berlin", repo: home },
    });
    expect(schedulerState(paths).alive).toBe(true);

    program.pulumi("stack", "rename", "organization/fleet/dev", "--stack", "dev");
    const file = join(folder, "Pulumi.yaml");
    const project = readFileSync(file, "utf8");
    writeFileSync(file, project.replace("name: others", "name: fleet"));
    // Which of them it is, the state says after its resources were declared: what looks amiss is put right.
    program.pulumi("up", "--stack", "dev", "--yes", "--skip-preview", "--non-interactive");
    expect(installations(home)).toMatchObject([{ id: installation, claim: { project: "fleet" } }]);
    expect(preview("--stack", "dev", "--expect-no-changes")).toMatch(/5 unchanged/);
    expect(schedulerState(paths).alive).toBe(true);
    program.pulumi("destroy", "--stack", "dev", "--yes", "--skip-preview", "--non-interactive");
    expect(installations(home)).toEqual([]);
    expect(existsSync(paths.root)).toBe(false);

    program.pulumi("stack", "rename", "organization/others/dev", "--stack", "dev");
    writeFileSync(file, project);
    program.pulumi("stack", "select", "dev");
  });
});

describe("CronChangeling in a program of the Automation API", () => {
  it("leaves a sound state after operations in one process, also at the same time", () => {
    const { home, folder, env } = program;
    const lines = [
      'import { readFileSync } from "node:fs";',
      'import { LocalWorkspace } from "@pulumi/pulumi/automation/index.js";',
      'import { CronChangeling } from "changelings";',
      `const options = { repo: "${home}", timezone: "UTC", agentType: "command", agentArgs: ["true"], secrets: [] };`,
      "const program = async () => {",
      '  new CronChangeling("alpha", options);',
      '  new CronChangeling("beta", options);',
      "};",
      "const stackOf = (stackName) =>",
      '  LocalWorkspace.createStack({ stackName, projectName: "others", program }, { workDir: process.cwd() });',
      'const [one, two] = [await stackOf("one"), await stackOf("two")];',
      "const first = await one.up();",
      "const previews = await Promise.all([one.preview(), two.preview()]);",
      "const both = await Promise.all([one.up(), two.up()]);",
      `const state = (name) => JSON.parse(readFileSync(\`${home}/backend/.pulumi/stacks/others/\${name}.json\`, "utf8"));`,
      'const resources = ["one", "two"].map((name) => state(name).checkpoint.latest.resources);',
      "await Promise.all([one.destroy(), two.destroy()]);",
      "const changes = [first, ...both].map(({ summary }) => summary.resourceChanges);",
      "const planned = previews.map(({ changeSummary }) => changeSummary);",
      "console.log(JSON.stringify({ changes, planned, resources }));",
    ];
    writeFileSync(join(folder, "automation.mjs"), `${lines.join("\n")}\n`);
    const { status, stdout, stderr } = spawnSync(process.execPath, ["automation.mjs"], {
      cwd: folder,
      env: { ...env, PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true" },
      encoding: "utf8",
    });
    // Each of its stacks was selected in turn.
    program.pulumi("stack", "select", "dev");
    expect(status, stderr).toBe(0);
    const { changes, planned, resources } = JSON.parse(stdout);
    expect(changes).toEqual([{ create: 7 }, { same: 7 }, { create: 7 }]);
    expect(planned).toEqual([{ same: 7 }, { create: 7 }]);
    for (const state of resources) expectValid(state);
    expect(installations(home)).toEqual([]);
  });

  /** As the engine checks it: what a resource refers to comes before it. */
  function expectValid(state: readonly { urn: string; parent?: string; dependencies?: string[] }[]): void {
    const known = new Set<string>();
    for (const { urn, parent, dependencies = [] } of state) {
      for (const each of [...dependencies, ...(parent === undefined ? [] : [parent])]) expect(known).toContain(each);
      known.add(urn);
    }
    expect(state.filter(({ urn }) => urn.endsWith("::scheduler"))).toHaveLength(2);
  }
});

describe("the other kinds, together in another program", () => {
  let source: WebAgentRepo;
  let ports: { forwarding: number; sprout: number };
  beforeAll(async () => {
    source = new WebAgentRepo();
    const [forwarding, sprout] = await Promise.all([freePort(), freePort()]);
    ports = { forwarding, sprout };
  });
  afterAll(() => source[Symbol.dispose]());

  function write(): void {
    program.write(
      'import { SandboxChangeling } from "changelings/sandbox";',
      'import { SeedAgentChangeling } from "changelings/seed-agent";',
      'import { ForwardingServer, localWebs, pageUrl, WebChangeling, webOf } from "changelings/web";',
      `const { memory } = new SandboxChangeling("example", { repo: "${program.home}/app" });`,
      `const sprout = { port: ${ports.sprout}, mode: "off", destroyData: true };`,
      'const { url: sproutUrl } = new SeedAgentChangeling("sprout", sprout);',
      `const options = { source: "file://${source.folder}", env: { GREETING: "hello" } };`,
      `const forwarding = new ForwardingServer("forwarding", { port: ${ports.forwarding} });`,
      "const { declared, installation } = forwarding;",
      'const local = await localWebs([webOf("elena", options)]);',
      'const { agentId, servers } = new WebChangeling("elena", { ...options, local });',
      "const pageAt = agentId.apply((id) => id && pageUrl(declared, id));",
      "export { agentId, installation, memory, pageAt, servers, sproutUrl };",
    );
  }

  let output: z.infer<typeof outputs>;
  const sproutUrl = () => `http://127.0.0.1:${ports.sprout}`;

  it("are installed by one update, which outputs where they are", () => {
    execFileSync("git", ["init", "--quiet", "--initial-branch=main", join(program.home, "app")], { env: program.env });
    write();
    program.up();
    output = outputs.parse(JSON.parse(program.pulumi("stack", "output", "--json")));
    expect(output).toEqual({
      agentId: expect.stringMatching(/^agent-[0-9a-f]{32}$/),
      installation: program.installation,
      memory: "harvest-memory-local-app",
      pageAt: `http://${output.agentId}.localhost:${ports.forwarding}/`,
      servers: { web: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) },
      sproutUrl: sproutUrl(),
    });
  });

  it("run: a sandbox's session service with its spec, a seed agent, and a web agent that is reached after a login", async () => {
    const { home, paths } = program;
    expect(JSON.parse(readFileSync(join(paths.sandboxes, "specs/example.json"), "utf8"))).toMatchObject({
      spec: { runtime: "stub", url: `${home}/app` },
    });
    expect(sessionsState(paths).alive).toBe(true);
    expect(await (await fetch(`${sproutUrl()}/health`)).json()).toMatchObject({ status: "ok", version: "v0" });

    const { agentId, installation, pageAt } = output;
    const asking =
      'import { loginUrl } from "changelings/web"; console.log((await loginUrl(...process.argv.slice(1))).url);';
    const login = execFileSync(process.execPath, ["--input-type=module", "-e", asking, installation, agentId], {
      cwd: program.folder,
      env: program.env,
      encoding: "utf8",
    });
    const browser = new SmallBrowser(ports.forwarding);
    // What the page of /login does by script.
    await browser.open(login.trim().replace("/login?", "/authenticate?"));
    expect(await browser.open(`/${agentId}/`)).toMatchObject({ url: pageAt, body: "first\n" });
  });

  it("show nothing when nothing changed", () => {
    expect(preview("--expect-no-changes")).toMatch(/12 unchanged/);
  });

  it("are removed, the seed agent with its data", async () => {
    const { paths } = program;
    program.destroy();
    expect(sessionsState(paths).alive).toBe(false);
    await expect(fetch(`${sproutUrl()}/health`)).rejects.toThrow();
    // Only the record of the web agent is left, because its data are kept.
    const left = readdirSync(paths.root, { recursive: true });
    expect(left.sort()).toEqual(["stack.json", "web", "web/elena.json", "web/elena.lock"]);
    expect(mngrAgents()).toEqual([]);
  });

  function mngrAgents(): unknown {
    const said = execFileSync("mngr", ["list", "--provider", "local", "--format", "json", "--headless"], {
      env: program.env,
      encoding: "utf8",
    });
    return z.object({ agents: z.array(z.unknown()) }).parse(JSON.parse(said)).agents;
  }
});

const outputs = z.object({
  agentId: z.string(),
  installation: z.string(),
  memory: z.string(),
  pageAt: z.string(),
  servers: z.record(z.string(), z.string()),
  sproutUrl: z.string(),
});
