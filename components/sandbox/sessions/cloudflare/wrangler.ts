import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { writePrivateFile } from "../../../host/files.ts";
import { setUpWrangler } from "../../../host/setup-tools.ts";
import { allowedEnvironment } from "../../../lib/environment.ts";
import { masked } from "../../../lib/masking.ts";
import { runProgram, timedOut } from "../../../lib/process.ts";
import { printNote } from "../../../lib/terminal.ts";
import { cloudflareVariables, requiredToken } from "./environment.ts";

const installSeconds = 900;
const runSeconds = 240;

/** A line of the file that wrangler writes to WRANGLER_OUTPUT_FILE_PATH. */
const outputLine = z.looseObject({ type: z.string() });
const deployLine = z.looseObject({
  type: z.literal("deploy"),
  version_id: z.nullable(z.string()),
  targets: z._default(z.array(z.string()), []),
});
export type WranglerDeployment = Pick<z.output<typeof deployLine>, "version_id" | "targets">;

/**
 * Runs wrangler in a temporary folder, 0700, which is also its home, so that it finds no other login and leaves no files.
 *
 * @param files in that folder, by name
 * @param secrets are redacted from what it prints
 * @returns the deployment that it reports; undefined if it deployed nothing
 * @throws with its output
 */
export async function runWrangler(
  args: readonly string[],
  {
    files,
    secrets = [],
    env = process.env,
  }: {
    readonly files: Readonly<Record<string, string>>;
    readonly secrets?: readonly string[];
    readonly env?: NodeJS.ProcessEnv;
  },
): Promise<WranglerDeployment | undefined> {
  const token = requiredToken(env);
  const program = await installedWrangler(env);
  const folder = mkdtempSync(join(tmpdir(), "changelings-wrangler-"));
  try {
    for (const [name, content] of Object.entries(files)) writePrivateFile(join(folder, name), content);
    const output = join(folder, "output.ndjson");
    mkdirSync(join(folder, "home"));
    const { code, stdout, stderr } = await runProgram(process.execPath, [program, ...args], {
      cwd: folder,
      env: {
        ...allowedEnvironment(env),
        ...cloudflareVariables(env),
        ...{ HOME: join(folder, "home"), XDG_CONFIG_HOME: join(folder, "home"), PATH: withNode(env) },
        CLOUDFLARE_API_TOKEN: token,
        // No questions, no telemetry, no colours.
        ...{ CI: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", NO_COLOR: "1", FORCE_COLOR: "0" },
        ...{ WRANGLER_OUTPUT_FILE_PATH: output, WRANGLER_LOG_PATH: join(folder, "logs") },
        // Beside its node_modules: compiling it takes a quarter of its time.
        NODE_COMPILE_CACHE: join(dirname(program), "../../../compiled"),
      },
      timeoutSeconds: runSeconds,
      maxOutput: 1_000_000,
      endsGroup: true,
    });
    if (code !== 0) {
      const words = masked([stderr.trim(), stdout.trim()].filter(Boolean).join("\n"), [token, ...secrets]);
      const reason =
        code === timedOut ? `it took longer than ${runSeconds} s` : words.slice(-2000) || `it ended with ${code}`;
      throw new Error(`wrangler ${args[0]} failed: ${reason}`);
    }
    return deploymentIn(output);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function deploymentIn(path: string): WranglerDeployment | undefined {
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  const parsed = lines.map((line) => outputLine.parse(JSON.parse(line)));
  const line = parsed.findLast(({ type }) => type === "deploy");
  return line === undefined ? undefined : deployLine.parse(line);
}

async function installedWrangler(env: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, stderr } = await setUpWrangler({
    env,
    timeoutSeconds: installSeconds,
    onOutput: (text, stream) => {
      if (stream === "stderr") printNote(text);
    },
  });
  if (code !== 0) throw new Error(`wrangler could not be installed: ${stderr.trim() || `setup ended with ${code}`}`);
  return stdout.trim();
}

/** wrangler starts `node` by name. */
function withNode(env: NodeJS.ProcessEnv): string {
  return [dirname(process.execPath), env["PATH"] ?? ""].join(":");
}
