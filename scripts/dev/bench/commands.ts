import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { devFolder, ensureDevStack } from "../../stack/dev-stack.ts";
import { projectFolder } from "../../stack/project.ts";
import { stackEnvironment } from "../../stack/stack.ts";
import { freePort, inTurn, type Measure, timed } from "./measure.ts";

const rounds = 5;
const crons = 4;

/**
 * The interactive commands, on a fleet like the example's (four scheduled changelings and a web one). Compares `list`
 * and `doctor` with `mngr list`, and `plan` with `pulumi preview` of the same stack, in turn in one run: so the
 * machine's speed and other load cancel out.
 */
export async function* commandMeasures(folder: string): AsyncGenerator<Measure> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const env = { ...process.env, HOME: home, CI: "", TMUX_TMPDIR: home, MNGR__PROVIDERS__MODAL__IS_ENABLED: "false" };
  const stack = ensureDevStack(home, env);
  writeFileSync(join(devFolder(home), "fleet.toml"), fleetWith(await freePort()));
  const inProject = { cwd: projectFolder, env };
  const pulumi = (...verb: string[]) =>
    timed("pulumi", [...verb, "--stack", stack.name, "--config-file", stack.configFile ?? ""], {
      cwd: projectFolder,
      env: { ...env, ...stackEnvironment(stack) },
    });
  const changeling = (name: string) => () => timed("node", ["scripts/stack/launch.mjs", "changeling", name], inProject);
  const list = () => timed("mngr", ["list", "--provider", "local", "--format", "json", "--headless"], inProject);
  const preview = () => pulumi("preview", "--json", "--non-interactive");
  await pulumi("up", "--yes", "--skip-preview");
  try {
    for (const [name, other, what, bar] of [
      ["list", list, "mngr list", 0.8],
      ["doctor", list, "mngr list", 3],
      ["plan", preview, "pulumi preview", 1.2],
    ] as const) {
      const times = await inTurn(rounds, changeling(name), other);
      const detail = `${times.ours.toFixed(2)} s against ${times.other.toFixed(2)} s of ${what}`;
      yield { name: `changeling ${name}`, value: times.ours / times.other, unit: "ratio", bar, detail };
    }
  } finally {
    await pulumi("destroy", "--yes", "--skip-preview");
  }
}

function fleetWith(port: number): string {
  const one = (_: unknown, index: number) =>
    `[changelings.job-${index}]\nagent_type = "command"\nagent_args = ["true"]\nschedule = "${index} 3 * * *"\n`;
  const jobs = Array.from({ length: crons }, one).join("");
  return `${jobs}[changelings.chat]\nkind = "web"\nagent_type = "chat"\n[forwarding]\nport = ${port}\n`;
}
