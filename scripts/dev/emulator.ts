/**
 * `npm run emulator`: runs Modal's emulator in the foreground, to try a fleet on provider `modal` without an account.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { type Emulator, startEmulator } from "../../test/support/modal-emulator.ts";
import { SetupError } from "../setup/progress.mjs";
import { explain } from "../setup/run.mjs";

interface Options {
  readonly json?: true;
  readonly reach?: readonly number[];
  readonly run: "offline" | "pip";
}

const description = [
  "Starts an emulator of Modal on this machine, prints the variables that point modal, mngr and changeling at it, and " +
    "runs until Ctrl-C, which ends everything that it started. Schedules fire by the real clock. Apps, secrets, volumes and " +
    "sandboxes are gone at the end.",
  "It is for tests and trials, and not a security boundary: if it runs as root, programs in its containers can reach this machine.",
  "Linux only; sandboxes with mngr agents need root.",
].join("\n\n");

const program = new Command("npm run emulator --")
  .description(description)
  .usage("[options]")
  .helpOption("-h, --help", "print this")
  .option("--json", "print the variables as one line of JSON")
  .option("--reach <port>", "a port of this machine that sandboxes may reach, such as a git server's", addPort)
  .addOption(
    new Option(
      "--run <steps>",
      "which RUN steps of images are executed: only those that install nothing, or also those of pip",
    )
      .choices(["offline", "pip"])
      .default("offline"),
  )
  .action(main);

await program.parseAsync();

function addPort(text: string, ports: readonly number[] = []): number[] {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError("A port is 1 to 65535.");
  return [...ports, port];
}

async function main({ json, reach, run }: Options): Promise<void> {
  let emulator: Emulator;
  try {
    emulator = await startEmulator({ live: true, sandboxReaches: reach ?? [], run });
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
  process.stdout.write(json === true ? `${JSON.stringify(emulator.env)}\n` : shellText(emulator.env));
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
