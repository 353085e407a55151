import type { Live } from "../live/live.ts";
import type { DeepCheck } from "../server/api.ts";
import { runCheck, shortened } from "./run-check.ts";

/** Further checks are left out, to keep the answer small. */
const maxChecks = 20;

/** Runs the agent's own `checks.ts`. @returns no checks if the active version has no such file */
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
  return found.slice(0, maxChecks).map(({ name: own, ok, detail }) => ({
    ...{ name: `agent: ${shortened(own, 60)}`, ok, milliseconds: whole.milliseconds },
    ...(detail === undefined ? {} : { detail: shortened(detail) }),
  }));
}
