import { expect, it } from "vitest";
import { withoutOtherAgents } from "../../../components/mngr/other-agents.ts";

it("a run's log has no warnings of mngr's about other agents, and all others", () => {
  const own = "WARNING: No image or Dockerfile specified\nCreating agent state...\n";
  const other = (name: string) =>
    `WARNING: Agent ${name} has type '${name}' which is no longer registered; loading with fallback class BaseAgent so existing commands keep working.\n`;
  expect(withoutOtherAgents(`${other("chat")}${own}${other("elena")}Starting agent\n`)).toBe(`${own}Starting agent\n`);
  expect(withoutOtherAgents(own)).toBe(own);
});
