import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod/mini";
import { installPlugin, type PluginName } from "../../scripts/stack/plugins/install.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { leanProgram } from "../../scripts/stack/stack.ts";
import { compileCache } from "../support/compile-cache.ts";
import { savedState } from "./saved-state.ts";

export interface Outcome {
  code: number | null;
  /** Both streams. */
  output: string;
}

const plan = z.object({
  steps: z.array(
    z.object({
      op: z.string(),
      urn: z.string(),
      detailedDiff: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
    }),
  ),
});
/** What is tested is the plugin: its program needs no more of the SDK than the fleet's. */
const leanRunner = join(projectFolder, leanProgram.PULUMI_LANGUAGE_NODEJS_RUN_PATH);

const nameOf = (urn: string): string => urn.split("::").at(-1) ?? urn;

/** The real engine with a stand-in, a program of its fixtures, and a backend, all in a temporary folder. */
export class PluginStack implements AsyncDisposable {
  /** Where the program lies and commands run. */
  readonly program: string;
  private readonly backend: string;
  private readonly folder: string;
  private readonly pulumiHome: string;
  private readonly plugin: PluginName;
  private readonly env: Readonly<Record<string, string>>;
  private readonly running = new Set<ChildProcess>();

  private constructor(folder: string, plugin: PluginName, env: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.plugin = plugin;
    this.env = env;
    this.program = join(folder, "program");
    this.backend = join(folder, "backend");
    this.pulumiHome = join(folder, "pulumi-home");
  }

  /** @param env what the engine sees beside PATH and Pulumi's own variables */
  static async create(plugin: PluginName, env: Readonly<Record<string, string>> = {}): Promise<PluginStack> {
    const stack = new PluginStack(await mkdtemp(join(tmpdir(), `${plugin}-stack-`)), plugin, env);
    await cp(join(import.meta.dirname, `../fixtures/${plugin}-plugin/program`), stack.program, { recursive: true });
    await symlink(join(import.meta.dirname, "../../node_modules"), join(stack.program, "node_modules"));
    await mkdir(stack.backend);
    await installPlugin(plugin, { pulumiHome: stack.pulumiHome, node: process.execPath });
    await stack.succeed("stack", "init", "test");
    return stack;
  }

  /** Sets what the next run of the program declares, by name. */
  async declare(resources: Record<string, Record<string, unknown>>): Promise<void> {
    await writeFile(join(this.program, "declared.json"), JSON.stringify(resources));
  }

  /** Starts pulumi; `outcome` is kept when it has ended. */
  start(...args: string[]) {
    const binary = process.env["CHANGELINGS_PULUMI_BIN"] ?? "pulumi";
    const child = spawn(binary, [...args, "--non-interactive", "--color", "never"], {
      cwd: this.program,
      env: {
        PATH: process.env["PATH"],
        HOME: this.folder,
        ...compileCache,
        PULUMI_LANGUAGE_NODEJS_RUN_PATH: leanRunner,
        PULUMI_HOME: this.pulumiHome,
        PULUMI_BACKEND_URL: `file://${this.backend}`,
        PULUMI_CONFIG_PASSPHRASE: "passphrase",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        ...this.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.running.add(child);
    child.once("exit", () => this.running.delete(child));
    const outcome = (async (): Promise<Outcome> => {
      const [out, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
      return { code: z.nullable(z.number()).parse(code), output: out + error };
    })();
    return { child, outcome };
  }

  /** Runs pulumi. @throws {Error} with its output when it fails. */
  async succeed(...args: string[]): Promise<string> {
    const { code, output } = await this.start(...args).outcome;
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  }

  up = () => this.succeed("up", "--yes", "--skip-preview");

  /** What `up` would do: `op`, then the changed paths, by resource; what stays the same is left out. */
  async preview(): Promise<Record<string, string>> {
    const { steps } = plan.parse(JSON.parse(await this.succeed("preview", "--json")));
    return Object.fromEntries(
      steps
        .filter(({ op, urn }) => op !== "same" && !urn.includes("pulumi:pulumi:Stack"))
        .map(({ op, urn, detailedDiff }) => [nameOf(urn), [op, ...Object.keys(detailedDiff ?? {}).sort()].join(" ")]),
    );
  }

  /** The outputs of each of the plugin's resources in the state, secrets as they are kept there. */
  outputs(): Record<string, Record<string, unknown>> {
    const own = savedState(this.backend, "test").resources.filter(({ type }) => type.startsWith(`${this.plugin}:`));
    return Object.fromEntries(own.map(({ urn, outputs = {} }) => [nameOf(urn), outputs]));
  }

  /** All that the backend keeps, histories included. */
  async kept(): Promise<string> {
    const files = await readdir(this.backend, { recursive: true, withFileTypes: true });
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFile(join(file.parentPath, file.name), "utf8"));
    return (await Promise.all(texts)).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.running) child.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }
}
