/**
 * `npm run emulator`: runs Modal's emulator in the foreground, to try a fleet on provider `modal` without an account.
 */
import { type Emulator, startEmulator } from "../../test/support/modal-emulator.ts";
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { SetupError } from "../stack/setup/progress.mjs";
import { explain } from "../stack/setup/run.mjs";

const { values } = argumentsOf("emulator");
const runs = ["offline", "pip"] as const;

const reach = [values["reach"] ?? []].flat().map(Number);
const run = runs.find((each) => each === (values["run"] ?? "offline"));
const wrongPort = reach.find((port) => !Number.isInteger(port) || port < 1 || port > 65_535);

if (wrongPort !== undefined) refuse("--reach takes a port, from 1 to 65535");
else if (run === undefined) refuse(`--run takes ${runs.join(" or ")}`);
else await main(run);

function refuse(why: string): void {
  process.stderr.write(`error: ${why}\n`);
  process.exitCode = 2;
}

async function main(steps: (typeof runs)[number]): Promise<void> {
  let emulator: Emulator;
  try {
    emulator = await startEmulator({ live: true, sandboxReaches: reach, run: steps });
  } catch (error) {
    const text =
      error instanceof SetupError ? explain(error) : `error: ${error instanceof Error ? error.message : error}`;
    process.stderr.write(`${text}\n`);
    process.exitCode = 1;
    return;
  }
  let isStopping = false;
  const stop = (): void => {
    isStopping = true;
    void emulator.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, stop);
  process.stdout.write(values["json"] === true ? `${JSON.stringify(emulator.env)}\n` : shellText(emulator.env));
  process.stderr.write(`Running; Ctrl-C ends it. What it holds: ${emulator.control.url}/state\n`);
  await emulator.ended;
  // Even if it ended by itself, to remove its files.
  await emulator.stop();
  if (!isStopping) {
    process.stderr.write(`error: the emulator ended by itself\n${emulator.log()}`);
    process.exitCode = 1;
  }
}

function shellText(env: Readonly<Record<string, string>>): string {
  const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    .join("");
}
