import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { schedulerState } from "../../components/cron/local/state.ts";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { devFolder, devStack, ensureDevStack } from "../../scripts/stack/dev-stack.ts";
import { type Finished, installationOf, projectName, pulumi, type Stack } from "../../scripts/stack/stack.ts";
import { fillOnce } from "../support/made-once.ts";

/** A stack in a temporary folder, with its own home, backend, PULUMI_HOME, mngr and tmux. It uses nothing of the machine's. */
export interface TestStack {
  readonly home: string;
  readonly stack: Stack;
  readonly paths: ReturnType<typeof installationPaths>;
  readonly env: NodeJS.ProcessEnv;
  /** Writes the fleet file. */
  declare(toml: string): void;
  pulumi(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished>;
  up(env?: NodeJS.ProcessEnv): Promise<Finished>;
  /** `up`, which must succeed. */
  change(env?: NodeJS.ProcessEnv): Promise<Change>;
  /** Ops of the next preview by resource name, without those that change nothing. */
  preview(env?: NodeJS.ProcessEnv): Promise<Record<string, string>>;
  /** The stack's outputs, as in its state. `pulumi stack output --json` prints the same, if it has no secret. */
  outputs(): unknown;
  /** Ends the scheduler and its supervisor, as a restart of the machine does. */
  endScheduler(): Promise<{ pid: number | undefined }>;
  /**
   * Destroys the stack, ends its scheduler whatever happened, and removes the folder.
   *
   * @param options.destroy false: for a stack that has no other process than its scheduler
   */
  remove(options?: { readonly destroy?: boolean }): Promise<void>;
}

export interface Change {
  /** By resource name, without those that change nothing. */
  readonly ops: Record<string, string>;
  /** What it repaired, as its previews show it, by resource name without the type. */
  readonly repairs: Record<string, string>;
  /** All that it printed. */
  readonly output: string;
}

/** @param more environment variables of every program that it starts, for instance those of a Modal emulator */
export function makeTestStack(more: NodeJS.ProcessEnv = {}): TestStack {
  const home = mkdtempSync(join(tmpdir(), "stack-"));
  const env = { ...hermeticEnvironment(home), ...more };
  const stack = newDevStack(home);
  const paths = installationPaths(installationOf(stack), home);
  const run = (args: readonly string[], extra: NodeJS.ProcessEnv = {}) =>
    pulumi(stack, args, { capture: true, env: { ...env, ...extra } });
  return {
    home,
    stack,
    paths,
    env,
    declare: (toml) => writeFileSync(join(devFolder(home), "fleet.toml"), toml, { mode: 0o600 }),
    pulumi: run,
    up: (extra) => run(["up", "--yes", "--skip-preview", "--non-interactive"], extra),
    async change(extra) {
      const { code, stdout, stderr } = await run(["up", "--yes", "--skip-preview", "--json"], extra);
      if (code !== 0) throw new Error(`up failed: ${stdout}${stderr}`);
      const events: EngineEvent[] = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const steps = events.flatMap((event) => event.resourcePreEvent?.metadata ?? []);
      return { ops: changesIn(steps), repairs: repairsIn(steps), output: stdout };
    },
    async preview(extra) {
      const { code, stdout, stderr } = await run(["preview", "--json"], extra);
      if (code !== 0) throw new Error(`preview failed: ${stdout}${stderr}`);
      const { steps = [] } = JSON.parse(stdout) as { steps?: Step[] };
      return changesIn(steps);
    },
    outputs() {
      const state = join(devFolder(home), "backend", ".pulumi", "stacks", projectName, `${stack.name}.json`);
      const { checkpoint } = JSON.parse(readFileSync(state, "utf8")) as State;
      return checkpoint.latest.resources?.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs;
    },
    async endScheduler() {
      const { pid } = schedulerState(paths);
      await stopScheduler(installationOf(stack), { endRuns: false }, home);
      return { pid };
    },
    async remove({ destroy = true } = {}) {
      if (destroy) await run(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
      await stopScheduler(installationOf(stack), { endRuns: false }, home);
      endTmuxServer(env);
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/**
 * A new stack of `npm start` in this home: a copy of one that is made once per test run. Making one takes half a second of
 * processor time, for its key and its repository.
 */
function newDevStack(home: string): Stack {
  mkdirSync(devFolder(home), { recursive: true, mode: 0o700 });
  fillOnce(devFolder(home), "dev-stack", (folder) => {
    const elsewhere = mkdtempSync(join(tmpdir(), "dev-stack-"));
    ensureDevStack(elsewhere, hermeticEnvironment(elsewhere));
    cpSync(devFolder(elsewhere), folder, { recursive: true });
    rmSync(elsewhere, { recursive: true });
  });
  return devStack(home);
}

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly old?: StepState | null;
  readonly new?: StepState | null;
}

interface StepState {
  readonly inputs?: { readonly environment?: { readonly DRIFT?: string } };
}

/** The file in which a backend on disk keeps a stack. */
interface State {
  readonly checkpoint: {
    readonly latest: { readonly resources?: readonly { readonly type: string; readonly outputs?: unknown }[] };
  };
}

/** A line of `up --json`. */
interface EngineEvent {
  readonly resourcePreEvent?: { readonly metadata: Step };
}

function changesIn(steps: readonly Step[]): Record<string, string> {
  const changed = steps.filter(({ op }) => op !== "same");
  return Object.fromEntries(
    changed.map(({ op, urn }) => [urn.split("::").slice(2).join(" ").replace(/^.*\$/, ""), op]),
  );
}

/** The changed DRIFT of each Command. */
function repairsIn(steps: readonly Step[]): Record<string, string> {
  return Object.fromEntries(
    steps.flatMap(({ op, urn, old: before, new: after }) => {
      const drift = after?.inputs?.environment?.DRIFT;
      const isNew = op === "update" && drift !== before?.inputs?.environment?.DRIFT;
      return isNew && drift !== undefined ? [[urn.split("::").at(-1) ?? urn, drift]] : [];
    }),
  );
}

/** The environment of every program that tests start. */
export function hermeticEnvironment(home: string): NodeJS.ProcessEnv {
  const pulumiHome = join(home, "pulumi-home");
  const tmux = join(home, "tmux");
  for (const folder of [pulumiHome, tmux]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const plugins = join(process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "plugins");
  if (!existsSync(plugins)) throw new Error(`no Pulumi plugins in ${plugins}; run: npm run setup`);
  symlinkSync(plugins, join(pulumiHome, "plugins"));
  return {
    ...process.env,
    HOME: home,
    PULUMI_HOME: pulumiHome,
    TMUX_TMPDIR: tmux,
    MNGR_HOST_DIR: join(home, ".mngr"),
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    CI: "",
    GITHUB_TOKEN: "",
    GH_TOKEN: "",
    ANTHROPIC_API_KEY: "",
    CLAUDE_CODE_OAUTH_TOKEN: "",
    MODAL_TOKEN_ID: "",
    MODAL_TOKEN_SECRET: "",
  };
}

/** Ends the tmux server of this environment, if one was started. */
export function endTmuxServer(env: NodeJS.ProcessEnv): void {
  try {
    execFileSync("tmux", ["kill-server"], { env, stdio: "ignore" });
  } catch {
    // None was running.
  }
}
