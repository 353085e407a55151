import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { devFolder, ensureDevStack } from "../stack/dev-stack.ts";
import { projectFolder } from "../stack/project.ts";
import { stackEnvironment } from "../stack/stack.ts";
import { makeBareStack } from "./engine.ts";
import { inTurn, type Measure, timed } from "./measure.ts";

const rounds = 5;
const crons = 4;

/**
 * The commands that a person waits for, on a fleet like the example's (four scheduled changelings and a web one),
 * against what they can't do without: `mngr list`, and a bare program's `pulumi preview`.
 */
export async function* commandMeasures(folder: string): AsyncGenerator<Measure> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  const env = { ...process.env, HOME: home, CI: "", TMUX_TMPDIR: home, MNGR__PROVIDERS__MODAL__IS_ENABLED: "false" };
  const stack = ensureDevStack(home, env);
  writeFileSync(join(devFolder(home), "fleet.toml"), fleetWith(await freePort()));
  const bare = await makeBareStack(join(folder, "bare"), crons + 3, env);
  const inProject = { cwd: projectFolder, env };
  const pulumi = (...verb: string[]) =>
    timed("pulumi", [...verb, "--stack", stack.name, "--config-file", stack.configFile ?? ""], {
      cwd: projectFolder,
      env: { ...env, ...stackEnvironment(stack) },
    });
  const changeling = (name: string) => () => timed("node", ["scripts/launch.mjs", "changeling", name], inProject);
  const list = () => timed("mngr", ["list", "--provider", "local", "--format", "json", "--headless"], inProject);
  const preview = () => bare(["preview"]);
  await pulumi("up", "--yes", "--skip-preview");
  await bare(["up", "--yes", "--skip-preview"]);
  try {
    for (const [name, other, what, bar] of [
      ["list", list, "mngr list", 1.6],
      ["doctor", list, "mngr list", 3],
      ["plan", preview, "pulumi preview", 2.5],
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
