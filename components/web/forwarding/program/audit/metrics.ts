import type { AgentView } from "../agents.ts";
import type { Audit } from "./audit.ts";

/** The server's counts in Prometheus's text format. */
export function metricsText(audit: Audit, agents: readonly AgentView[], connections: number): string {
  const states = ["online", "starting", "offline"].map(
    (state) => [`{state="${state}"}`, agents.filter((agent) => agent.state === state).length] as const,
  );
  const requests = audit.requests.map(
    ({ agent, status, count }) => [`{agent=${JSON.stringify(agent)},status="${status}"}`, count] as const,
  );
  const { user, system } = process.cpuUsage();
  return [
    metric("changelings_requests_total", "counter", "Requests by agent and class of status.", requests),
    metric("changelings_logins_total", "counter", "Logins by a one-time code.", [["", audit.logins]]),
    metric("changelings_failed_logins_total", "counter", "Login codes that were rejected.", [["", audit.failedLogins]]),
    metric("changelings_sessions", "gauge", "Logins that have not ended.", [["", audit.sessions.list().length]]),
    metric("changelings_connections", "gauge", "Open connections of logged-in browsers.", [["", connections]]),
    metric("changelings_agents", "gauge", "Agents by state.", states),
    metric("process_cpu_seconds_total", "counter", "Processor time.", [["", (user + system) / 1e6]]),
    metric("process_resident_memory_bytes", "gauge", "Memory.", [["", process.memoryUsage.rss()]]),
    metric("process_uptime_seconds", "gauge", "Time since the start.", [["", Math.round(process.uptime())]]),
  ].join("");
}

function metric(
  name: string,
  type: "counter" | "gauge",
  help: string,
  values: readonly (readonly [labels: string, value: number])[],
): string {
  const lines = values.map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}
