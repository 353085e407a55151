/**
 * `npm run coverage`: the tests that run the components in their own process, with the share of their code that they
 * execute. Fails below the gate of spec 003, 85 % of the seed agent's lines. A report to look at is in coverage/index.html.
 *
 * What runs in other programs is not seen: Commands, daemons, workerd, containers. That is about a quarter of the other kinds, so
 * they have no gate: much of what is not covered there is tested in that way.
 */
import { startVitest } from "vitest/node";
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { checkout } from "../stack/setup/cache.mjs";

const gatePercent = 85;

argumentsOf("coverage");

const vitest = await startVitest("test", [], {
  root: checkout,
  watch: false,
  project: ["unit", "isolated", "long", "contracts"],
  coverage: {
    enabled: true,
    provider: "v8",
    include: ["components/**/*.ts"],
    reporter: ["text-summary", "html", "json-summary"],
    reportsDirectory: "coverage",
    thresholds: { "components/seed-agent/**": { lines: gatePercent } },
  },
});
await vitest.close();
