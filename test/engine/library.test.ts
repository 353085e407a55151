import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { installationId } from "../../components/installation.ts";
import { installationPaths } from "../../components/installation-paths.ts";
import { projectFolder } from "../../scripts/project.ts";
import { hermeticEnvironment } from "./test-stack.ts";

/** Somebody's own Pulumi program, with the built package among its node_modules. */
describe("CronChangeling in another program", () => {
  let home: string;
  let program: string;
  let env: NodeJS.ProcessEnv;
  let installation: string;

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "library-"));
    program = join(home, "program");
    const modules = join(program, "node_modules");
    mkdirSync(join(modules, "changelings"), { recursive: true });
    mkdirSync(join(home, "backend"));
    execFileSync(process.execPath, [join(projectFolder, "scripts", "build.ts")], { stdio: "pipe" });
    cpSync(join(projectFolder, "dist"), join(modules, "changelings", "dist"), { recursive: true });
    copyFileSync(join(projectFolder, "package.json"), join(modules, "changelings", "package.json"));
    const { dependencies } = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8"));
    for (const name of ["@pulumi", ...Object.keys(dependencies).filter((each) => !each.startsWith("@"))]) {
      symlinkSync(join(projectFolder, "node_modules", name), join(modules, name));
    }
    const backend = `file://${join(home, "backend")}`;
    installation = installationId({ backend, project: "others", stack: "dev" });
    env = { ...hermeticEnvironment(home), PULUMI_BACKEND_URL: backend, PULUMI_CONFIG_PASSPHRASE: "test" };
    writeFileSync(
      join(program, "Pulumi.yaml"),
      "name: others\nruntime: { name: nodejs, options: { typescript: false } }\n",
    );
    writeFileSync(join(program, "package.json"), '{ "type": "module", "main": "index.js" }\n');
    pulumi("stack", "init", "dev");
  });
  afterAll(async () => {
    await stopScheduler(installation, { endRuns: false }, home);
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  });

  function write(options: string): void {
    const lines = ['import { CronChangeling } from "changelings";', `new CronChangeling("alpha", { ${options} });`];
    writeFileSync(join(program, "index.js"), `${lines.join("\n")}\n`);
  }

  function pulumi(...args: string[]): string {
    return execFileSync("pulumi", args, {
      cwd: program,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  it("names every fault of its args at once, by property", () => {
    write('repo: "/tmp", timezone: "Berlin", schedule: "0 0 6 * * *", agentType: "command"');
    expect(() => pulumi("preview", "--non-interactive", "--color", "never")).toThrow(
      expect.objectContaining({ stdout: expect.stringMatching(/schedule.*timezone/s) }),
    );
  });

  it("is installed with a scheduler of its own, shows nothing when nothing changed, and is removed", () => {
    write(`repo: "${home}", timezone: "Europe/Berlin", agentType: "command", agentArgs: ["true"]`);
    const quiet = ["--yes", "--skip-preview", "--non-interactive"];
    pulumi("up", ...quiet);
    const paths = installationPaths(installation, home);
    expect(JSON.parse(readFileSync(join(paths.jobs, "alpha.json"), "utf8"))).toMatchObject({
      spec: { schedule: "0 3 * * *", timezone: "Europe/Berlin", repo: home },
    });
    expect(pulumi("preview", "--expect-no-changes", "--non-interactive")).toMatch(/5 unchanged/);
    pulumi("destroy", ...quiet);
    expect(existsSync(paths.root)).toBe(false);
  });
});
