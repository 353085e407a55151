import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { installEmulatorTools, setUpEmulator } from "../../../../../scripts/stack/setup/emulator.ts";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();
const at = (path: string): string => join(machine.folder, "root", path);

const asUser = (uid: number): void => void vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(uid);

beforeEach(() => {
  for (const folder of ["usr/sbin", "run"]) mkdirSync(at(folder), { recursive: true });
});

describe("the tools of Modal's emulator", () => {
  test("are fine when they are there, the ssh server off the PATH too", async () => {
    for (const name of ["ssh", "rsync", "jq", "xxd", "curl", "unshare"]) machine.program(name);
    writeFileSync(at("usr/sbin/sshd"), "#!/bin/sh\n", { mode: 0o755 });
    await expect(installEmulatorTools(at(""))).resolves.toBeUndefined();
  });

  test("that are missing are installed by root on Debian without starting what serves", async () => {
    asUser(0);
    for (const name of ["rsync", "jq", "xxd", "curl", "unshare"]) machine.program(name);
    const policy = at("usr/sbin/policy-rc.d");
    machine.program("apt-get", `echo "$*" >> ${machine.folder}/calls`, `cp ${policy} ${machine.folder}/policy`);
    await installEmulatorTools(at(""));
    expect(readFileSync(join(machine.folder, "calls"), "utf8").trimEnd().split("\n")).toEqual([
      "install -y --no-install-recommends --download-only openssh-server openssh-client",
      "install -y --no-install-recommends openssh-server openssh-client",
    ]);
    // 101: "action not allowed".
    expect(readFileSync(join(machine.folder, "policy"), "utf8")).toBe("#!/bin/sh\nexit 101\n");
    expect(existsSync(policy)).toBe(false);
  });

  test("are installed under the policy that the machine has", async () => {
    asUser(0);
    for (const name of ["ssh", "rsync", "jq", "xxd", "curl", "unshare"]) machine.program(name);
    const policy = at("usr/sbin/policy-rc.d");
    writeFileSync(policy, "its own");
    machine.program("apt-get", "exit 100");
    await expect(installEmulatorTools(at(""))).rejects.toMatchObject({
      remedy: "Install with: apt-get install -y openssh-server",
    });
    expect(readFileSync(policy, "utf8")).toBe("its own");
  });

  test("are not installed where the ssh server would keep running: the error says how", async () => {
    asUser(0);
    for (const name of ["ssh", "rsync", "jq", "xxd", "curl", "unshare"]) machine.program(name);
    machine.program("apt-get", "exit 9");
    mkdirSync(at("run/systemd/system"), { recursive: true });
    await expect(installEmulatorTools(at(""))).rejects.toMatchObject({
      message: "The Modal emulator needs sshd, not found",
      remedy:
        "Install with: apt-get install -y openssh-server (to keep the ssh server from running: sudo systemctl disable --now ssh)",
    });
  });

  test.each([
    ["apt-get", 1000, "Install with: sudo apt-get install -y openssh-server jq"],
    ["dnf", 0, "Install the packages with these programs; on Debian: openssh-server, jq."],
    ["nothing", 0, "Install the packages with these programs; on Debian: openssh-server, jq."],
  ])("that are missing are named, with the command of %s (uid %d)", async (manager, uid, remedy) => {
    asUser(uid);
    for (const name of ["ssh", "rsync", "xxd", "curl", "unshare"]) machine.program(name);
    machine.program(manager, "exit 9");
    await expect(installEmulatorTools(at(""))).rejects.toMatchObject({
      message: "The Modal emulator needs sshd, jq, not found",
      remedy,
    });
  });

  test("are only installed on Linux", async () => {
    vi.stubGlobal("process", { ...process, platform: "darwin" });
    await expect(setUpEmulator()).rejects.toThrow("The Modal emulator needs Linux");
    vi.unstubAllGlobals();
  });
});
