import { existsSync, mkdirSync, rmSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { writeWholeFile } from "../files.ts";
import type { Daemon } from "./daemon.ts";
import { isOwnHome, mustRun, runProgram, type Supervisor } from "./supervisor.ts";

/** A systemd user unit: it restarts after a crash, at login, and with lingering at boot. */
export const systemd: Supervisor = {
  name: "systemd",
  async isUsable(home) {
    if (process.platform !== "linux" || !isOwnHome(home)) return false;
    const { output } = await runProgram("systemctl", ["--user", "is-system-running"]);
    return /^(running|degraded|starting)$/m.test(output);
  },
  isInstalled: (daemon) => existsSync(unitPath(daemon)),
  async start(daemon) {
    mkdirSync(unitFolder(daemon), { recursive: true });
    // Proxy variables in its environment may contain passwords.
    writeWholeFile(unitPath(daemon), unitText(daemon), { mode: 0o600 });
    await mustRun("systemctl", ["--user", "daemon-reload"]);
    await mustRun("systemctl", ["--user", "enable", "--quiet", unitName(daemon)]);
    await mustRun("systemctl", ["--user", "restart", unitName(daemon)]);
  },
  async stop(daemon) {
    if (!existsSync(unitPath(daemon))) return;
    await mustRun("systemctl", ["--user", "disable", "--now", "--quiet", unitName(daemon)]);
    rmSync(unitPath(daemon), { force: true });
    await mustRun("systemctl", ["--user", "daemon-reload"]);
  },
  bootInstructions() {
    const user = userInfo().username;
    if (existsSync(join("/var/lib/systemd/linger", user))) return undefined;
    return `it starts when ${user} logs in, and ends at logout; to have it run from boot on: loginctl enable-linger ${user}`;
  },
};

function unitName({ installation, title }: Daemon): string {
  // The scheduler's unit has no title, because it was the first kind of daemon.
  const kind = title === "scheduler" ? "" : `${title.replaceAll(" ", "-")}-`;
  return `changelings-${kind}${installation}.service`;
}

function unitFolder({ home, env }: Daemon): string {
  return join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "systemd", "user");
}

function unitPath(daemon: Daemon): string {
  return join(unitFolder(daemon), unitName(daemon));
}

export function unitText(daemon: Daemon): string {
  const environment = Object.entries(daemon.env).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`);
  return `[Unit]
Description=${daemon.title[0]?.toUpperCase()}${daemon.title.slice(1)} of changelings, installation ${daemon.installation}
# Restart it, however often it crashes.
StartLimitIntervalSec=0

[Service]
ExecStart=${daemon.command.map((word) => quoted(word).replaceAll("$", "$$$$")).join(" ")}
${environment.sort().join("\n")}
Restart=on-failure
RestartSec=2
# The agents' terminals must keep running when it ends.
KillMode=process
UMask=0077
StandardOutput=append:${specifiersEscaped(join(daemon.folder, "stderr.log"))}
StandardError=append:${specifiersEscaped(join(daemon.folder, "stderr.log"))}

[Install]
WantedBy=default.target
`;
}

function quoted(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `"${specifiersEscaped(escaped)}"`;
}

function specifiersEscaped(text: string): string {
  return text.replaceAll("%", "%%");
}
