import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { serviceFilePath, sessionsFolder } from "../../../components/sandbox/sessions/folder.ts";
import { devStack } from "../../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../../scripts/stack/project.ts";
import { installationOf } from "../../../scripts/stack/stack.ts";
import { startFakeSessions } from "../../support/fake-sessions.ts";

it("follows the session before it sends the prompt, and prints into a pipe what has come, not only at the end", async () => {
  const home = mkdtempSync(join(tmpdir(), "send-"));
  await using service = await startFakeSessions();
  const folder = sessionsFolder(installationPaths(installationOf(devStack(home), home), home));
  mkdirSync(folder, { recursive: true });
  writeFileSync(serviceFilePath(folder), JSON.stringify(service.file), { mode: 0o600 });
  const session = service.session();
  const refusal = sleep(10_000, undefined, { ref: false }).then(() => {
    throw new Error("nobody follows the session");
  });
  session.mayPost = Promise.race([session.followed, refusal]);
  refusal.catch(() => {});
  session.mayPost.catch(() => {});
  const program = join(projectFolder, "scripts/changeling/changeling.ts");
  const child = spawn(process.execPath, [program, "sandbox", "send", session.id, "hello"], {
    env: { PATH: process.env["PATH"], HOME: home },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    while (session.messages.length === 0 && child.exitCode === null) await sleep(10);
    session.begin();
    session.say("first");
    const [text] = await once(child.stdout.setEncoding("utf8"), "data");
    expect(text).toBe("first");
    session.say(" last");
    session.finish();
    let rest = "";
    child.stdout.on("data", (more: string) => {
      rest += more;
    });
    expect(await once(child, "close")).toEqual([0, null]);
    expect(rest).toBe(" last\n");
  } finally {
    child.kill();
    rmSync(home, { recursive: true, force: true });
  }
});
