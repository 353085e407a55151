/**
 * `npm run test:modal`: tests a small fleet and coding sandboxes on a real Modal account, in separate environments,
 * which it removes. With `-- sandboxes` or `-- fleet` it tests one of them.
 */
import { messageOf } from "../../components/lib/as-error.ts";
import { ModalError } from "../../components/modal/modal-error.ts";
import { type ModalToken, modalToken, noTokenRemedy } from "../../components/modal/token.ts";
import { type JourneyOptions, modalJourney } from "../../test/support/modal-journey.ts";
import { sandboxJourney } from "../../test/support/sandbox-journey.ts";
import { argumentsOf } from "../stack/setup/arguments.mjs";

const repoVariable = "CHANGELINGS_TEST_REPO";

const journeys: Readonly<Record<string, (options: JourneyOptions) => Promise<void>>> = {
  fleet: modalJourney,
  sandboxes: (options) => sandboxJourney({ ...options, env: process.env }),
};

const abort = new AbortController();
// Running children receive the terminal's signal themselves. This process lives on to clean up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());

process.exitCode = await main();

async function main(): Promise<number> {
  const { operands: only } = argumentsOf("test-modal");
  const chosen = Object.entries(journeys).flatMap(([name, journey]) =>
    only.length === 0 || only.includes(name) ? [journey] : [],
  );
  const token = ownToken();
  if (typeof token === "string") return refuse(token);
  const repo = process.env[repoVariable];
  if (!repo) {
    return refuse(
      `no repository is named for the agents to read; set ${repoVariable} to the https URL of a small public one ` +
        "(nothing is pushed there)",
    );
  }
  try {
    const options = { token, repo, signal: abort.signal, say: (line: string) => process.stdout.write(`${line}\n`) };
    for (const journey of chosen) await journey(options);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}\n`);
    return 1;
  }
}

/** @returns the reason, as text, if there is none */
function ownToken(): ModalToken | string {
  try {
    return modalToken(process.env) ?? `this needs a Modal token, and runs on its account; ${noTokenRemedy}`;
  } catch (error) {
    if (error instanceof ModalError) return error.message;
    throw error;
  }
}

function refuse(why: string): number {
  process.stderr.write(`error: ${why}\n`);
  return 2;
}
