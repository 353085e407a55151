import { describe, expect, it } from "vitest";
import { plistText } from "../../../../components/host/supervision/launchd.ts";
import { isOwnHome } from "../../../../components/host/supervision/supervisor.ts";
import { unitText } from "../../../../components/host/supervision/systemd.ts";

const daemon = {
  installation: "0123456789ab",
  title: "scheduler",
  home: "/home/me",
  command: ["/opt/node 24/bin/node", "--quiet", "/home/me/$src/100%/main.ts", "0123456789ab"],
  folder: "/home/me/.changelings/0123456789ab/scheduler",
  stateFile: "/home/me/.changelings/0123456789ab/scheduler/scheduler.json",
  programVersion: "0123456789abcdef",
  compiledMarker: "/home/me/.cache/compiled/daemons/0123456789abcdef",
  env: { PATH: "/opt/node:/usr/bin", HOME: "/home/me", https_proxy: 'http://a:"b\\%<&>@proxy' },
};

it("the systemd unit names everything absolutely, restarts after a crash alone, and spares the agents' terminals", () => {
  expect(unitText(daemon)).toBe(`[Unit]
Description=Scheduler of changelings, installation 0123456789ab
# Restart it, however often it crashes.
StartLimitIntervalSec=0

[Service]
ExecStart="/opt/node 24/bin/node" "--quiet" "/home/me/$$src/100%%/main.ts" "0123456789ab"
Environment="HOME=/home/me"
Environment="PATH=/opt/node:/usr/bin"
Environment="https_proxy=http://a:\\"b\\\\%%<&>@proxy"
Restart=on-failure
RestartSec=2
# The agents' terminals must keep running when it ends.
KillMode=process
UMask=0077
StandardOutput=append:/home/me/.changelings/0123456789ab/scheduler/stderr.log
StandardError=append:/home/me/.changelings/0123456789ab/scheduler/stderr.log

[Install]
WantedBy=default.target
`);
});

it("the launch agent does the same", () => {
  const text = plistText(daemon);
  expect(text.split("\n").filter((line) => line.startsWith("    "))).toEqual([
    "    <string>/opt/node 24/bin/node</string>",
    "    <string>--quiet</string>",
    "    <string>/home/me/$src/100%/main.ts</string>",
    "    <string>0123456789ab</string>",
    "    <key>HOME</key><string>/home/me</string>",
    "    <key>PATH</key><string>/opt/node:/usr/bin</string>",
    '    <key>https_proxy</key><string>http://a:"b\\%&lt;&amp;&gt;@proxy</string>',
  ]);
  expect(text.split("\n").filter((line) => line.startsWith("  <key>"))).toEqual([
    "  <key>Label</key><string>changelings.scheduler.0123456789ab</string>",
    "  <key>ProgramArguments</key>",
    "  <key>EnvironmentVariables</key>",
    "  <key>RunAtLoad</key><true/>",
    "  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>",
    "  <key>ThrottleInterval</key><integer>2</integer>",
    "  <key>AbandonProcessGroup</key><true/>",
    "  <key>Umask</key><integer>63</integer>",
    "  <key>StandardOutPath</key><string>/home/me/.changelings/0123456789ab/scheduler/stderr.log</string>",
    "  <key>StandardErrorPath</key><string>/home/me/.changelings/0123456789ab/scheduler/stderr.log</string>",
  ]);
});

describe("isOwnHome", () => {
  it("keeps service managers out of somebody else's home, or a test's", () => {
    expect(isOwnHome("/nowhere/else")).toBe(false);
  });
});
