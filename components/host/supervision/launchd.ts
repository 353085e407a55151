import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeWholeFile } from "../files.ts";
import type { Daemon } from "./daemon.ts";
import { isOwnHome, mustRun, runProgram, type Supervisor } from "./supervisor.ts";

/** A macOS launch agent: it restarts after a crash, and at login. */
export const launchd: Supervisor = {
  name: "launchd",
  async isUsable(home) {
    if (process.platform !== "darwin" || !isOwnHome(home)) return false;
    return (await runProgram("launchctl", ["print", domain()])).code === 0;
  },
  isInstalled: (daemon) => existsSync(plistPath(daemon)),
  async start(daemon) {
    mkdirSync(dirname(plistPath(daemon)), { recursive: true });
    writeWholeFile(plistPath(daemon), plistText(daemon), { mode: 0o600 });
    await runProgram("launchctl", ["bootout", `${domain()}/${label(daemon)}`]);
    await mustRun("launchctl", ["bootstrap", domain(), plistPath(daemon)]);
  },
  async stop(daemon) {
    if (!existsSync(plistPath(daemon))) return;
    // Fails if the agent is not loaded. The caller checks afterwards whether the program still runs.
    await runProgram("launchctl", ["bootout", `${domain()}/${label(daemon)}`]);
    rmSync(plistPath(daemon), { force: true });
  },
  bootInstructions: () => undefined,
};

function domain(): string {
  return `gui/${process.getuid?.() ?? 0}`;
}

function label({ installation, title }: Daemon): string {
  return `changelings.${title.replaceAll(" ", "-")}.${installation}`;
}

function plistPath(daemon: Daemon): string {
  return join(daemon.home, "Library", "LaunchAgents", `${label(daemon)}.plist`);
}

export function plistText(daemon: Daemon): string {
  const words = daemon.command.map((word) => `    <string>${xml(word)}</string>`);
  const variables = Object.entries(daemon.env)
    .sort()
    .map(([name, value]) => `    <key>${xml(name)}</key><string>${xml(value)}</string>`);
  const stderr = xml(join(daemon.folder, "stderr.log"));
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>${xml(label(daemon))}</string>
  <key>ProgramArguments</key>
  <array>
${words.join("\n")}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
${variables.join("\n")}
  </dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>ThrottleInterval</key><integer>2</integer>
  <key>AbandonProcessGroup</key><true/>
  <key>Umask</key><integer>63</integer>
  <key>StandardOutPath</key><string>${stderr}</string>
  <key>StandardErrorPath</key><string>${stderr}</string>
</dict>
</plist>
`;
}

function xml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
