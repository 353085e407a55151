import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { vi } from "vitest";
import * as z from "zod/mini";
import { installations } from "../../components/host/claims.ts";
import { installationId } from "../../components/host/installation.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { canonicalBackend } from "../../components/host/stack-identity.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { removeInstallation } from "../../scripts/stack/remove-installation.ts";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { endTmuxServer, hermeticEnvironment } from "./test-stack.ts";

/** A folder `node_modules` with this project's package and the packages that it needs, as npm installs them. */
export class InstalledPackage {
  readonly modules: string;
  readonly folder: string;

  constructor() {
    this.modules = join(mkdtempSync(join(tmpdir(), "package-")), "node_modules");
    this.folder = join(this.modules, "changelings");
    install(this.folder);
    const { bin, dependencies } = packageForm.parse(
      JSON.parse(readFileSync(join(this.folder, "package.json"), "utf8")),
    );
    mkdirSync(join(this.modules, ".bin"));
    for (const [name, file] of Object.entries(bin))
      symlinkSync(join(this.folder, file), join(this.modules, ".bin", name));
    for (const name of new Set(Object.keys(dependencies).map((each) => each.split("/")[0] ?? each))) {
      symlinkSync(join(projectFolder, "node_modules", name), join(this.modules, name));
    }
  }

  remove(): void {
    rmSync(dirname(this.modules), { recursive: true, force: true });
  }
}

/** Another Pulumi program with a stack, in a temporary folder. */
export class OtherProgram {
  readonly home: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly installation: string;
  readonly paths: ReturnType<typeof installationPaths>;

  constructor({ modules }: InstalledPackage) {
    this.home = mkdtempSync(join(tmpdir(), "library-"));
    this.folder = join(this.home, "program");
    mkdirSync(this.folder);
    mkdirSync(join(this.home, "backend"));
    symlinkSync(modules, join(this.folder, "node_modules"));
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
      // Its home has none of what setup installs for sandboxes.
      CHANGELINGS_CACHE: cacheFolder(),
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

  /** Also ends and removes what a test that failed left. */
  async remove(): Promise<void> {
    vi.stubEnv("HOME", this.home);
    try {
      for (const { id } of installations(this.home)) await removeInstallation(id, everything);
    } finally {
      vi.unstubAllEnvs();
      endTmuxServer(this.env);
      rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

const everything = { all: true, repositories: [], example: new Map() };

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
