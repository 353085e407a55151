import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { projectFolder } from "../../scripts/project.ts";
import { ask } from "../support/upstreams.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";
import { freePort } from "../support/web-stack.ts";
import { OtherProgram } from "./other-program.ts";

let program: OtherProgram;
beforeAll(() => {
  program = new OtherProgram();
});
afterAll(async () => {
  // Also when a test failed before its destroy.
  await stopScheduler(program.installation, { endRuns: false }, program.home);
  await stopForwardingServer(program.installation, program.home);
  program.remove();
});

const preview = (...options: string[]) =>
  program.pulumi("preview", "--non-interactive", "--color", "never", ...options);

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
      "export async function declare(): Promise<string> {",
      'new CronChangeling("a", { repo: "/r", schedule: "0 6 * * *" });',
      'const local = await localWebs([webOf("b", { agentType: "chat" })]);',
      'const routing: "host" | "path" = new ForwardingServer("f").declared.routing;',
      'new WebChangeling("b", { agentType: "chat", local });',
      "// @ts-expect-error",
      'new WebChangeling("c", { agentTyp: "chat" });',
      "// @ts-expect-error",
      'new ForwardingServer("f", { port: "8420" });',
      "return routing; }",
    ];
    writeFileSync(join(program.folder, "typed.ts"), `${lines.join("\n")}\n`);
    const compiler = join(projectFolder, "node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2024", ...resolution];
    const { stdout } = spawnSync(process.execPath, [compiler, ...options, "typed.ts"], {
      cwd: program.folder,
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  });

  it("has a command, which says where its own commands work and what to use in a program", () => {
    const options = { cwd: program.folder, env: program.env, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync("npx", ["--no-install", "changeling", "list"], options);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .*\n.*pulumi up.*loginUrl.*npx changeling --help\n$/s);
    expect(stderr).not.toMatch(/\n +at /);
  });
});

describe("CronChangeling in another program", () => {
  function write(options: string): void {
    program.write('import { CronChangeling } from "changelings";', `new CronChangeling("alpha", { ${options} });`);
  }

  it("reports every fault of its args at once, by property, without a stack", () => {
    write('repo: "/tmp", timezone: "Berlin", schedule: "0 0 6 * * *", agentType: "command"');
    expect(preview).toThrow(/changeling "alpha" is not valid:\n +schedule: .*\n +timezone: /);
    expect(preview).not.toThrow(/unhandled exception|\n +at /);
  });

  it.each(["changelingOf", "webOf"])("%s reports faults without a stack", (name) => {
    const from = name === "webOf" ? "changelings/web" : "changelings";
    program.write(`import { ${name} } from "${from}";`, `${name}("alpha", { provider: "moon" });`);
    expect(preview).toThrow(/changeling alpha: provider: /);
    expect(preview).not.toThrow(/unhandled exception|\n +at /);
  });

  it("is installed with a scheduler of its own, shows nothing when nothing changed, and is removed", () => {
    const { home, paths } = program;
    write(`repo: "${home}", timezone: "Europe/Berlin", agentType: "command", agentArgs: ["true"]`);
    program.up();
    expect(JSON.parse(readFileSync(join(paths.jobs, "alpha.json"), "utf8"))).toMatchObject({
      spec: { schedule: "0 3 * * *", timezone: "Europe/Berlin", repo: home },
    });
    expect(preview("--expect-no-changes")).toMatch(/5 unchanged/);
    program.destroy();
    expect(existsSync(paths.root)).toBe(false);
  });
});

describe("WebChangeling and ForwardingServer in another program", () => {
  let source: WebAgentRepo;
  let port: number;
  beforeAll(async () => {
    source = new WebAgentRepo();
    port = await freePort();
  });
  afterAll(() => source[Symbol.dispose]());

  /** @param more options of the changeling @param forwarding of the forwarding server */
  function write(more = "", forwarding = `port: ${port}`): void {
    program.write(
      'import { ForwardingServer, localWebs, pageUrl, WebChangeling, webOf } from "changelings/web";',
      `const options = { source: "file://${source.folder}", env: { GREETING: "hello" }, ${more} };`,
      `const forwarding = new ForwardingServer("forwarding", { ${forwarding} });`,
      "const { declared, installation } = forwarding;",
      'const local = await localWebs([webOf("elena", options)]);',
      'const { agentId, servers } = new WebChangeling("elena", { ...options, local });',
      "const url = agentId.apply((id) => id && pageUrl(declared, id));",
      "export { agentId, installation, servers, url };",
    );
  }

  it("name every fault of their args at once, by property", () => {
    write("", 'port: 0, host: "0.0.0.0", codeTtlSeconds: 0.5');
    expect(preview).not.toThrow(/unhandled exception/);
    expect(preview).toThrow(/forwarding server "forwarding" is not valid.*port.*host.*codeTtlSeconds/s);
    write('provider: "modal"');
    expect(preview).toThrow(/changeling "elena" is not valid.*modal.*needed for provider "modal"/s);
  });

  it("run, are reached after a login, show nothing when nothing changed, and are removed", async () => {
    write();
    program.up();
    const output = outputs.parse(JSON.parse(program.pulumi("stack", "output", "--json")));
    const { agentId, installation, url } = output;
    expect(output).toEqual({
      agentId: expect.stringMatching(/^agent-[0-9a-f]{32}$/),
      installation: program.installation,
      servers: { web: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) },
      url: `http://${agentId}.localhost:${port}/`,
    });
    const asking =
      'import { loginUrl } from "changelings/web"; console.log((await loginUrl(...process.argv.slice(1))).url);';
    const login = execFileSync(process.execPath, ["--input-type=module", "-e", asking, installation, agentId], {
      cwd: program.folder,
      env: program.env,
      encoding: "utf8",
    });
    const jar = new Map<string, string>();
    // What the page of /login does by script.
    await browse(login.trim().replace("/login?", "/authenticate?"), jar);
    expect(await browse(`http://localhost:${port}/${agentId}/`, jar)).toEqual({ at: url, text: "first\n" });
    expect(program.up()).toMatch(/Resources:\n +5 unchanged\n/);
    program.destroy();
    expect(existsSync(program.paths.forwarding)).toBe(false);
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
  servers: z.record(z.string(), z.string()),
  url: z.string(),
});

/** As a browser goes to a page: through redirects, with the cookies of each host. */
async function browse(from: string, jar: Map<string, string>): Promise<{ at: string; text: string }> {
  let url = new URL(from);
  for (let hop = 0; hop < 10; hop++) {
    const headers = { host: url.host, accept: "text/html", cookie: jar.get(url.host) ?? "" };
    // Not every resolver knows the names below localhost.
    const { headers: answered, body: text } = await ask(url, { hostname: "127.0.0.1", headers });
    const [cookie] = answered["set-cookie"] ?? [];
    if (cookie !== undefined) jar.set(url.host, cookie.split(";")[0] ?? "");
    if (answered.location === undefined) return { at: url.href, text };
    url = new URL(answered.location, url);
  }
  throw new Error(`${from} leads round in circles`);
}
