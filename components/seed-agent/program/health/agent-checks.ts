import type { Live } from "../live/live.ts";
import type { DeepCheck } from "../server/api.ts";
import { runCheck, shortened } from "./run-check.ts";

/** More of them would only make the answer large. */
const mostChecks = 20;

/** What the agent's own `checks.ts` finds; none if it has no such file. */
export async function agentChecks(live: Pick<Live, "checks">, milliseconds: number): Promise<readonly DeepCheck[]> {
  let found: Awaited<ReturnType<Live["checks"]>> = [];
  const { name, ...whole } = await runCheck(
    {
      name: "agent's checks",
      async run() {
        found = await live.checks();
      },
    },
    milliseconds,
  );
  if (!whole.ok) return [{ name, ...whole }];
  return found.slice(0, mostChecks).map(({ name: own, ok, detail }) => ({
    ...{ name: `agent: ${shortened(own, 60)}`, ok, milliseconds: whole.milliseconds },
    ...(detail === undefined ? {} : { detail: shortened(detail) }),
  }));
}
