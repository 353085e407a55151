import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";
import { installationId } from "../../components/host/installation.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { canonicalBackend } from "../../components/host/stack-identity.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { endTmuxServer, hermeticEnvironment } from "./test-stack.ts";

/** Another Pulumi program with a stack, in a temporary folder. This project's package is in its node_modules. */
export class OtherProgram {
  readonly home: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly installation: string;
  readonly paths: ReturnType<typeof installationPaths>;

  constructor() {
    this.home = mkdtempSync(join(tmpdir(), "library-"));
    this.folder = join(this.home, "program");
    const modules = join(this.folder, "node_modules");
    const own = join(modules, "changelings");
    install(own);
    mkdirSync(join(this.home, "backend"));
    const { bin, dependencies } = packageForm.parse(JSON.parse(readFileSync(join(own, "package.json"), "utf8")));
    mkdirSync(join(modules, ".bin"));
    for (const [name, file] of Object.entries(bin)) symlinkSync(join(own, file), join(modules, ".bin", name));
    for (const name of new Set(Object.keys(dependencies).map((each) => each.split("/")[0] ?? each))) {
      symlinkSync(join(projectFolder, "node_modules", name), join(modules, name));
    }
    const backend = `file://${join(this.home, "backend")}`;
    this.installation = installationId({
      backend: canonicalBackend(backend),
      organization: "organization",
      project: "others",
      stack: "dev",
    });
    this.paths = installationPaths(this.installation, this.home);
    this.env = {
      ...hermeticEnvironment(this.home),
      MNGR__PROVIDERS__MODAL__IS_ENABLED: "false",
      PULUMI_BACKEND_URL: backend,
      PULUMI_CONFIG_PASSPHRASE: "test",
    };
    const project = "name: others\nruntime: { name: nodejs, options: { typescript: false } }\n";
    writeFileSync(join(this.folder, "Pulumi.yaml"), project);
    writeFileSync(join(this.folder, "package.json"), '{ "type": "module", "main": "index.js" }\n');
    this.pulumi("stack", "init", "dev");
  }

  write(...lines: string[]): void {
    writeFileSync(join(this.folder, "index.js"), `${lines.join("\n")}\n`);
  }

  /** @returns its stdout @throws if it fails, with stdout and stderr in the message */
  pulumi(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync("pulumi", args, { cwd: this.folder, env: this.env, encoding: "utf8" });
    if (status !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
    return stdout;
  }

  up(): string {
    return this.pulumi("up", "--yes", "--skip-preview", "--non-interactive");
  }

  destroy(): string {
    return this.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive");
  }

  /** The caller has ended the program's daemons. */
  remove(): void {
    endTmuxServer(this.env);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}

const packageForm = z.object({ bin: z.record(z.string(), z.string()), dependencies: z.record(z.string(), z.string()) });

/** Installs this project's package as npm does. */
function install(folder: string): void {
  execFileSync(process.execPath, [join(projectFolder, "scripts", "dev", "build.ts")], { stdio: "pipe" });
  mkdirSync(folder, { recursive: true });
  const packed = ["pack", "--silent", "--pack-destination", folder];
  const name = execFileSync("npm", packed, {
    cwd: projectFolder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  execFileSync("tar", ["-xzf", join(folder, name.trim()), "-C", folder, "--strip-components=1"]);
}
