import { defineConfig } from "vitest/config";

/**
 * Files of test/unit that start whole programs many times: most of the time of all of test/unit. `npm run test:unit`,
 * for the inner loop, leaves them out; `npm test` does not.
 */
export const programs = [
  "test/unit/changelings/todo-ledger.test.ts",
  "test/unit/commands.test.ts",
  "test/unit/cron/local/run-repository.test.ts",
  "test/unit/cron/local/run-work.test.ts",
  "test/unit/cron/modal/program.test.ts",
  "test/unit/cron/zone-changes.test.ts",
  "test/unit/docs/commands.test.ts",
  "test/unit/scripts/changeling/unknown-names.test.ts",
  "test/unit/scripts/launch.test.ts",
  "test/unit/scripts/make-tar-file.test.ts",
  "test/unit/scripts/make-tar.test.ts",
  "test/unit/scripts/release/release.test.ts",
  "test/unit/scripts/script.test.ts",
  "test/unit/scripts/setup/plugin.test.ts",
  "test/unit/scripts/dev/test.test.ts",
  "test/unit/source/tarball.test.ts",
  "test/unit/web/forwarding/registrations.test.ts",
  "test/unit/web/hostile-repo.test.ts",
  "test/unit/web/repo.test.ts",
];

/** Timeouts are in milliseconds; each kind of test has its own, and a folder. */
const project = (name: string, testTimeout: number, files: { include?: string[]; exclude?: string[] } = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...files, testTimeout, hookTimeout: testTimeout },
});

export default defineConfig({
  test: {
    pool: "forks",
    setupFiles: ["test/support/properties.ts"],
    // Most tests start processes of their own, so more workers than this only make them wait for each other.
    maxWorkers: 2,
    // Most of what is waited for is another process, on a machine that may be busy.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      project("unit", 20_000, { exclude: programs }),
      project("programs", 20_000, { include: programs }),
      project("contracts", 180_000),
      project("engine", 180_000),
      project("end-to-end", 240_000),
      project("journeys", 600_000),
    ],
  },
});
