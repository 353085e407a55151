import { createServer } from "node:net";
import type { Fleet } from "../../components/fleet/index.ts";
import type { Agent } from "../../components/mngr/client.ts";
import { type ForwardingConfig, readConfig } from "../../components/web/forwarding/program/config.ts";
import { forwardingState } from "../../components/web/forwarding/state.ts";
import { forwardingBootInstructions } from "../../components/web/forwarding/supervise.ts";
import { readRecords, type WebRecord } from "../../components/web/record.ts";
import { installationOf } from "../stack.ts";
import { type Check, failed, ok, warning } from "./check.ts";
import type { Context } from "./context.ts";
import { forwardingStatus } from "./forwarding.ts";
import { asError } from "./modal-side.ts";
import { mngrOf, stateOf } from "./web-side.ts";

/** What a person runs to bring it in line with what is declared. */
const up = "npm run pulumi -- up";

/** The web changelings of a stack on this machine, their agents, and what they are reached by. */
export async function doctorWeb(context: Context, fleet: Fleet | undefined): Promise<Check[]> {
  const { paths, stack } = context;
  const records = readRecords(paths);
  const standing = records.filter(({ removed, provider }) => removed !== true && provider === "local");
  const declared = (fleet?.changelings ?? []).filter(({ kind, provider }) => kind === "web" && provider === "local");
  const missing = declared.filter(({ name }) => !standing.some((record) => record.name === name));
  const [forwarding, agents] = await Promise.all([
    standing.length === 0 ? undefined : forwardingCheck(context),
    agentChecks(records, { installation: installationOf(stack), profile: fleet?.mngrProfile }),
  ]);
  return [
    ...(forwarding === undefined ? [] : [forwarding]),
    ...agents,
    ...missing.map(({ name }) => warning(`agent of ${name}`, "declared, and not deployed yet", up)),
  ];
}

async function forwardingCheck({ paths, stack }: Context): Promise<Check> {
  const name = "forwarding server";
  const state = forwardingState(paths);
  if (state.alive) {
    const detail = `running at ${(await forwardingStatus(paths))?.url} (pid ${state.pid})`;
    if (!state.current) return warning(name, `${detail}, an older program`, up);
    const remedy = forwardingBootInstructions(installationOf(stack));
    return { ...ok(name, detail), ...(remedy === undefined ? {} : { remedy }) };
  }
  try {
    const config = readConfig(paths.forwarding);
    if (!(await isTaken(config))) {
      return failed(name, "not running, so no page can be reached", "start it with: changeling forward");
    }
    const detail = `not running, because another program has its port ${config.port}`;
    return failed(name, detail, `end that program, or take another port: changeling forward --port ${config.port + 1}`);
  } catch (error) {
    return failed(name, asError(error).message, up);
  }
}

/** Whether somebody listens where the forwarding server would. */
function isTaken({ port, host }: ForwardingConfig): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve("code" in error && error.code === "EADDRINUSE"));
    probe.listen({ port, host }, () => probe.close(() => resolve(false)));
  });
}

interface Ours {
  readonly installation: string;
  readonly profile: string | undefined;
}

async function agentChecks(records: readonly WebRecord[], { installation, profile }: Ours): Promise<Check[]> {
  const profiles = [...new Set([profile, ...records.map(({ mngrProfile }) => mngrProfile)])];
  const checks = profiles.map(async (each): Promise<Check[]> => {
    const own = records.filter(({ mngrProfile }) => mngrProfile === each);
    try {
      const { agents, isComplete } = await mngrOf(each).list();
      return [...standingChecks(own, agents, isComplete), ...orphanAgents(own, agents, installation)];
    } catch (error) {
      // Where mngr itself is missing, the tools' checks say it.
      return own.length === 0 ? [] : [failed("web agents", asError(error).message)];
    }
  });
  return (await Promise.all(checks)).flat();
}

function standingChecks(records: readonly WebRecord[], agents: readonly Agent[], isComplete: boolean): Check[] {
  const standing = records.filter(({ removed, provider }) => removed !== true && provider === "local");
  return standing.map(({ name, agentId, applied }): Check => {
    const what = `agent of ${name}`;
    const enabled = applied?.enabled ?? true;
    const state = stateOf(
      agents.find(({ id }) => id === agentId),
      { enabled, isComplete },
    );
    if (applied === undefined) {
      return failed(
        what,
        "it never came up",
        `changeling update ${name}, or take it back with: changeling destroy ${name}`,
      );
    }
    if (state === "gone") return failed(what, "mngr knows it no more; its repo and data are still there", up);
    if (state === "died") return failed(what, "its process ended", `start it with: changeling start ${name}`);
    if (state === "not running") return failed(what, "stopped by hand", `start it with: changeling start ${name}`);
    if (state === "unknown") return warning(what, "mngr could not tell its state");
    return ok(what, !enabled && state === "running" ? "running, although it is declared stopped" : state);
  });
}

/** Agents that carry this installation's label and are nobody's: a record was lost, or a removal was cut short. */
export function orphanAgents(records: readonly WebRecord[], agents: readonly Agent[], installation: string): Check[] {
  const known = new Set(records.flatMap(({ agentId, removed }) => (removed === true ? [] : [agentId])));
  return agents
    .filter(({ labels }) => labels["changelings_installation"] === installation && labels["changeling_kind"] === "web")
    .filter(({ id }) => !known.has(id))
    .map(({ id, name }) =>
      failed(
        `orphan agent ${name}`,
        `no changeling of this stack has it (${id})`,
        `remove it with: mngr destroy ${id} --force; its folders stay`,
      ),
    );
}
