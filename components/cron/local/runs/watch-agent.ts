import * as z from "zod/mini";
import { readJsonOrNull, watchFolder } from "../../../host/files.ts";
import type { Listed } from "../../../mngr/client.ts";
import type { RunContext } from "./context.ts";
import { leavesExitStatus } from "./create-agent.ts";
import type { Ending } from "./outcome.ts";
import { type RunPlan, runFiles } from "./plan.ts";
import { Settling } from "./settling.ts";

/** The poll interval, in milliseconds. A command reports its own end; a conversation has to be polled. */
const commandPeriodMs = 30_000;
/** Commands of other types record no exit status. A poll costs seconds of CPU time, so long runs are polled rarely. */
const otherPeriodMs = { least: 2000, most: commandPeriodMs, part: 1 / 4 };
const conversationPeriodMs = { least: 2000, most: 10_000 };
/** The maximum delay of Node's timers. */
const longestTimerMs = 2 ** 31 - 1;

const exitFile = z.object({ exitCode: z.number(), endedAt: z.string() });

/**
 * Waits for an agent's end. It keeps no state that a restart would lose: after a crash, call it again.
 * @param startedAt when the agent was created, in milliseconds since 1970; the timeout counts from then
 * @param interruption aborted, with the reason in words, to end the run early
 */
export function watchAgent(
  plan: RunPlan,
  { agentId, startedAt }: { readonly agentId: string; readonly startedAt: number },
  context: RunContext,
  interruption: AbortSignal,
): Promise<Ending> {
  const { spec } = plan;
  const files = runFiles(context.paths, spec.name, plan.id);
  const deadline = startedAt + spec.timeoutSeconds * 1000;
  const settling = new Settling({
    isConversational: spec.agent.isConversational,
    isPrinted: spec.agent.args.some((argument) => argument === "-p" || argument === "--print"),
    settleSeconds: spec.settleSeconds,
    leavesExitStatus: leavesExitStatus(spec),
  });
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    const finish = (ending: Ending) => {
      for (const end of ends.splice(0)) end();
      resolve(ending);
    };
    // A recorded exit status wins over anything else that can be observed by now.
    const check = (otherwise?: () => Ending | undefined) => {
      try {
        const exit = exitFile.safeParse(readJsonOrNull(files.exit));
        if (exit.success && Date.parse(exit.data.endedAt) < deadline) {
          return finish({ kind: "exited", exitCode: exit.data.exitCode });
        }
        if (interruption.aborted) return finish({ kind: "interrupted", reason: String(interruption.reason) });
        if (Date.now() >= deadline) return finish({ kind: "timed_out" });
        const ending = otherwise?.();
        if (ending !== undefined) finish(ending);
      } catch (error) {
        for (const end of ends.splice(0)) end();
        reject(error);
      }
    };
    const see = ({ agents, isComplete }: Listed) =>
      check(() => {
        const agent = agents.find(({ id }) => id === agentId);
        return agent === undefined && !isComplete ? undefined : settling.see(agent, Date.now());
      });
    const onInterruption = () => check();
    interruption.addEventListener("abort", onInterruption);
    const timer = setTimeout(() => check(), Math.min(Math.max(deadline - Date.now(), 0), longestTimerMs));
    ends.push(
      watchFolder(files.folder, () => check()),
      () => clearTimeout(timer),
      () => interruption.removeEventListener("abort", onInterruption),
      context.poll.listen(context.mngr(spec.mngrProfile), (listeningMs) => pollPeriod(spec, listeningMs), see),
    );
    check();
  });
}

/** The time until the next poll of an agent that has been watched for this long. Pure; in milliseconds. */
export function pollPeriod(spec: RunPlan["spec"], watchedMs: number): number {
  if (spec.agent.isConversational) {
    const { least, most } = conversationPeriodMs;
    return Math.min(Math.max(spec.settleSeconds * 150, least), most);
  }
  if (leavesExitStatus(spec)) return commandPeriodMs;
  const { least, most, part } = otherPeriodMs;
  return Math.min(Math.max(watchedMs * part, least), most);
}
