import { createHash } from "node:crypto";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findPython } from "../../stack/setup/python.ts";
import { installPythonLock } from "../../stack/setup/python-environment.ts";
import { timed } from "./measure.ts";
import type { ModalPlace } from "./modal-place.ts";

/** One manual way to deploy a changeling on Modal: deploys the one with that index, with its own secret. */
export type ByHand = (index: number) => Promise<void>;

/** The minimum on Modal: a Secret, and an app with a function, a schedule and an image. */
export function bareDeploys({ home, environment, env }: ModalPlace): ByHand {
  const folder = join(home, "bare");
  mkdirSync(folder);
  const at = { cwd: folder, env };
  const values = join(folder, "values.json");
  writeFileSync(values, JSON.stringify({ BENCH_TOKEN: env["BENCH_TOKEN"] }), { mode: 0o600 });
  return async (index) => {
    const name = `bare-${index}`;
    const file = join(folder, `${name}.py`);
    writeFileSync(file, minimalApp(name));
    await timed("modal", ["secret", "create", "--env", environment, "--from-json", values, name], at);
    await timed("modal", ["deploy", "--env", environment, file], at);
  };
}

function minimalApp(name: string): string {
  return `import modal

app = modal.App("${name}")


@app.function(
    image=modal.Image.debian_slim(),
    schedule=modal.Cron("0 3 * * *"),
    secrets=[modal.Secret.from_name("${name}")],
)
def fire():
    print("fired")
`;
}

/** `mngr schedule add`, from its own environment, which is installed if missing. */
export async function mngrSchedules({ home, env }: ModalPlace): Promise<ByHand> {
  const title = "Installing mngr schedule (a minute, once)";
  const python = await installPythonLock("-bench", title, await findPython());
  const scheduleEnv = {
    ...env,
    PATH: [join(python, "bin"), env["PATH"]].join(delimiter),
    // It runs `uv run modal`, which should find the modal beside it and query no index.
    VIRTUAL_ENV: python,
    UV_OFFLINE: "1",
  };
  return async (index) => {
    const folder = projectOfItsOwn(home, index);
    await timed("mngr", addArguments(`job-${index}`), { cwd: folder, env: scheduleEnv });
  };
}

function addArguments(name: string): string[] {
  return [
    ...["schedule", "add", name, "--provider", "modal", "--verify", "none", "--schedule", "0 3 * * *"],
    ...["--command", "create", "--args", "--type command --branch :run-{DATE} -- true"],
    // Its other ways to copy a project call a script that the project would have to contain.
    "--full-copy",
    // Auto-merge would need a GitHub token.
    "--no-auto-merge",
    ...["--pass-env", "BENCH_TOKEN"],
  ];
}

/**
 * Creates a folder to call it in. It empties and fills one staging folder per working folder, so two concurrent calls
 * in the same one would send each other's files.
 *
 * For an mngr from PyPI, its generated Dockerfile copies a file of mngr's own repository that is missing from the build
 * context, so it never builds. This adds the file. Only a step that the emulator skips reads its content.
 */
function projectOfItsOwn(home: string, index: number): string {
  const folder = join(home, `project-${index}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "README.md"), "# app\n");
  // All of them produce the same tarball, and so share its layer.
  for (const path of [join(folder, "README.md"), folder]) utimesSync(path, 0, 0);
  const key = createHash("md5").update(folder).digest("hex");
  const context = join(home, ".mngr", "build", key, "mngr_build");
  mkdirSync(join(context, "apps/minds/scripts"), { recursive: true });
  writeFileSync(join(context, "apps/minds/scripts/git-manifest.json"), "{}\n");
  return folder;
}
