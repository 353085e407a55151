import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { findChromium } from "../../../../../scripts/stack/setup/chromium.ts";
import { useMachine, writeProgram } from "../../../../support/setup.ts";

const machine = useMachine();
const asUser = (uid: number): void => void vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(uid);

describe("Chromium", () => {
  test("is the one that CHROMIUM names, before one of PATH", async () => {
    vi.stubEnv("CHROMIUM", writeProgram(join(machine.folder, "own"), "brave"));
    machine.program("chromium");
    expect(await findChromium()).toBe(join(machine.folder, "own/brave"));
  });

  test("that CHROMIUM names but does not exist is an error", async () => {
    vi.stubEnv("CHROMIUM", "/nonexistent/chromium");
    await expect(findChromium()).rejects.toThrow("CHROMIUM is /nonexistent/chromium, which is not a program");
  });

  test.each([
    ...["chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser"],
    ...["google-chrome", "google-chrome-stable"],
  ])("is found as %s", async (name) => {
    machine.program("apt-get", "exit 9");
    const path = machine.program(name);
    expect(await findChromium()).toBe(path);
  });

  test("is the headless shell if there is a whole browser too", async () => {
    machine.program("chromium");
    const shell = machine.program("chromium-headless-shell");
    expect(await findChromium()).toBe(shell);
  });

  /** An apt-get that has one package. */
  const apt = (has: string): void => {
    const made = `printf '#!/bin/sh\n' > ${machine.bin}/${has}; chmod 755 ${machine.bin}/${has}`;
    const install = `case "$*" in update | *download-only*) ;; *) ${made} ;; esac`;
    machine.program(
      "apt-get",
      `echo "$*" >> ${machine.folder}/calls`,
      `case "$*" in update | *" ${has}") ;; *) exit 100 ;; esac`,
      install,
    );
  };

  test("is installed by root on Debian, as headless shell where there is one", async () => {
    asUser(0);
    apt("chromium-headless-shell");
    expect(await findChromium()).toBe(join(machine.bin, "chromium-headless-shell"));
    expect(readFileSync(join(machine.folder, "calls"), "utf8").trimEnd().split("\n")).toEqual([
      "install -y --no-install-recommends --download-only chromium-headless-shell",
      "install -y --no-install-recommends chromium-headless-shell",
    ]);
  });

  test("is installed as whole browser where there is no headless shell", async () => {
    asUser(0);
    apt("chromium");
    expect(await findChromium()).toBe(join(machine.bin, "chromium"));
  });

  test("that can't be installed is an error", async () => {
    asUser(0);
    machine.program("apt-get", "exit 100");
    await expect(findChromium()).rejects.toMatchObject({ remedy: "Install with: apt-get install -y chromium" });
  });

  test("is not installed elsewhere: the error says how", async () => {
    asUser(1000);
    machine.program("apt-get", "exit 9");
    await expect(findChromium()).rejects.toMatchObject({
      message: "The tests in a browser need Chromium, not found",
      remedy: "Install with: sudo apt-get install -y chromium",
    });
  });
});
