import { defineConfig } from "vitest/config";

/** Unit tests that take seconds, mostly because they start whole programs. `npm run test:unit` leaves them out. */
const long = ["test/unit/**/*.long.test.ts"];

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
      project("unit", 20_000, { exclude: long }),
      project("long", 20_000, { include: long }),
      project("contracts", 180_000),
      project("engine", 180_000),
      project("end-to-end", 240_000),
      project("journeys", 600_000),
    ],
  },
});
