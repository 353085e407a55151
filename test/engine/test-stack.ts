import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { schedulerState } from "../../components/cron/local/state.ts";
import { stopScheduler } from "../../components/cron/local/supervise.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { devFolder, ensureDevStack } from "../../scripts/stack/dev-stack.ts";
import { type Finished, installationOf, pulumi, type Stack } from "../../scripts/stack/stack.ts";

/** A stack of its own: home, backend, PULUMI_HOME, mngr and tmux are a temporary folder's; nothing of the machine's is touched. */
export interface TestStack {
  readonly home: string;
  readonly stack: Stack;
  readonly paths: ReturnType<typeof installationPaths>;
  readonly env: NodeJS.ProcessEnv;
  /** Writes the fleet file. */
  declare(toml: string): void;
  pulumi(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished>;
  up(env?: NodeJS.ProcessEnv): Promise<Finished>;
  /** Ops of the next preview by resource name, those that change nothing left out. */
  preview(env?: NodeJS.ProcessEnv): Promise<Record<string, string>>;
  /** Ends the scheduler and what supervises it, as a kill or a restart of the machine does. */
  endScheduler(): Promise<{ pid: number | undefined }>;
  /** Destroys the stack, ends its scheduler whatever happened, and removes the folder. */
  remove(): Promise<void>;
}

/** @param more variables of every program that it starts, for instance a Modal emulator's */
export function makeTestStack(more: NodeJS.ProcessEnv = {}): TestStack {
  const home = mkdtempSync(join(tmpdir(), "stack-"));
  const env = { ...hermeticEnvironment(home), ...more };
  const stack = ensureDevStack(home, env);
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
    async preview(extra) {
      const { code, stdout, stderr } = await run(["preview", "--json"], extra);
      if (code !== 0) throw new Error(`preview failed: ${stdout}${stderr}`);
      const { steps = [] } = JSON.parse(stdout) as { steps?: { op: string; urn: string }[] };
      const changed = steps.filter(({ op }) => op !== "same");
      return Object.fromEntries(
        changed.map(({ op, urn }) => [urn.split("::").slice(2).join(" ").replace(/^.*\$/, ""), op]),
      );
    },
    async endScheduler() {
      const { pid } = schedulerState(paths);
      await stopScheduler(installationOf(stack), { endRuns: false }, home);
      return { pid };
    },
    async remove() {
      await run(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
      await stopScheduler(installationOf(stack), { endRuns: false }, home);
      endTmuxServer(env);
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** What tests give to every program that they start. */
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
