import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { findTools } from "../../../../../scripts/stack/setup/tools.ts";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();

const asUser = (uid: number): void => void vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(uid);

describe("system tools", () => {
  test("are found on PATH", async () => {
    for (const name of ["git", "tmux", "rsync"]) machine.program(name);
    expect(await findTools()).toEqual(["git", "tmux", "rsync"].map((name) => `${machine.bin}/${name}`));
  });

  test.each([
    ["apt-get", 1000, "Install with: sudo apt-get install -y tmux rsync"],
    ["dnf", 1000, "Install with: sudo dnf install -y tmux rsync"],
    ["dnf", 0, "Install with: dnf install -y tmux rsync"],
    ["pacman", 1000, "Install with: sudo pacman -S --noconfirm tmux rsync"],
    ["brew", 501, "Install with: brew install tmux rsync"],
    ["nothing", 0, "Install tmux, rsync with your system's package manager."],
  ])("that are missing are all named, with the command of %s (uid %d)", async (manager, uid, remedy) => {
    asUser(uid);
    machine.program("git");
    machine.program(manager, "exit 9");
    await expect(findTools()).rejects.toMatchObject({ message: "tmux, rsync not found", remedy });
  });

  test("are installed by root on Debian, the package lists fetched when the first try fails", async () => {
    asUser(0);
    machine.program("git");
    machine.program("tmux");
    machine.program(
      "apt-get",
      `cd ${machine.folder}`,
      'echo "$*" >> calls',
      'case "$*" in update) : > lists ;; esac',
      'case "$*" in install*) [ -e lists ] ;; esac',
      `case "$*" in "install -y --no-install-recommends rsync") cp ${machine.bin}/git ${machine.bin}/rsync ;; esac`,
    );
    expect(await findTools()).toHaveLength(3);
    expect(readFileSync(`${machine.folder}/calls`, "utf8").trim().split("\n")).toEqual([
      "install -y --no-install-recommends --download-only rsync",
      "update",
      "install -y --no-install-recommends --download-only rsync",
      "install -y --no-install-recommends rsync",
    ]);
  });

  test("that apt-get can't install are an error with its log", async () => {
    asUser(0);
    machine.program("git");
    machine.program("tmux");
    machine.program("apt-get", "echo nothing works >&2", "exit 100");
    await expect(findTools()).rejects.toMatchObject({
      message: "`apt-get update …`: exit code 100",
      log: `${machine.cache}/logs/apt.log`,
      remedy: "Install with: apt-get install -y rsync",
    });
  });
});
