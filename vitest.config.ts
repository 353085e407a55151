import { defineConfig } from "vitest/config";

/** Times are in milliseconds. Each kind of test has a folder and a patience of its own. */
const project = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout },
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
      project("unit", 20_000),
      project("engine", 180_000),
      project("end-to-end", 240_000),
      project("journeys", 600_000),
    ],
  },
});
