import { defineConfig } from "vitest/config";

/** Unit tests that take seconds, mostly because they start whole programs. `npm run test:unit` leaves them out. */
const long = ["test/unit/**/*.long.test.ts"];

/**
 * Those that replace modules. The others share a worker's, because importing them for each file is half of the work, and
 * are loaded by Node itself, which keeps compiled code.
 */
const isolated = ["test/unit/**/*.isolated.test.ts"];

/** Timeouts are in milliseconds; each kind of test has its own, and a folder. They are for what hangs, not for what is slow. */
const project = (
  name: string,
  testTimeout: number,
  more: {
    include?: string[];
    exclude?: string[];
    isolate?: boolean;
    experimental?: { viteModuleRunner: boolean };
  } = {},
) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...more, testTimeout, hookTimeout: testTimeout },
});

export default defineConfig({
  test: {
    pool: "forks",
    experimental: { viteModuleRunner: false },
    setupFiles: ["test/support/properties.ts", "test/support/each-file.ts"],
    // For the usual two cores: tests wait most of the time, for agents, roll-outs, time limits. With four workers, a tenth
    // of the processors' time is unused; with five, a thirtieth.
    maxWorkers: 5,
    // Most of what is waited for is another process, on a machine that may be busy.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      project("unit", 60_000, { exclude: [...long, ...isolated], isolate: false }),
      project("isolated", 60_000, { include: isolated, experimental: { viteModuleRunner: true } }),
      project("long", 60_000, { include: long }),
      project("contracts", 180_000),
      project("engine", 180_000),
      project("end-to-end", 240_000),
      project("journeys", 600_000),
    ],
  },
});
