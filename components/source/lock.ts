import { setTimeout as sleep } from "node:timers/promises";

const sqliteBusy = 5;
const retryMs = 100;

/**
 * Runs `work` while no other process runs work with the same lock file. It is an SQLite lock on a file of nothing else:
 * the kernel lets go of it when its holder ends, however it ends.
 *
 * @param what is being waited for, for the error
 * @throws after `waitSeconds` of waiting
 */
export async function withLock<Result>(
  file: string,
  { what, waitSeconds }: { readonly what: string; readonly waitSeconds: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const { DatabaseSync } = quietly(() => process.getBuiltinModule("node:sqlite"));
  const database = new DatabaseSync(file);
  try {
    for (const end = Date.now() + waitSeconds * 1000; !isTaken(() => database.exec(take)); await sleep(retryMs)) {
      if (Date.now() > end) throw new Error(`another process has been ${what} for over ${waitSeconds} s (${file})`);
    }
    return await work();
  } finally {
    database.close();
  }
}

const take = "PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE";

function isTaken(tryIt: () => void): boolean {
  try {
    tryIt();
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return false;
    throw error;
  }
}

/** The first releases of Node 24 warn that it is young. */
function quietly<Result>(load: () => Result): Result {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
