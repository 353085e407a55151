import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { findPython, installPythonLock } from "../../../../scripts/setup/python.ts";
import { useMachine, writeProgram } from "../../../support/setup.ts";

const machine = useMachine();

const pretends = (version: string): string[] => [`echo ${version}`];
const pyenv = (version: string): string => {
  const bin = join(machine.folder, "pyenv/versions", version, "bin");
  return writeProgram(bin, "python3", ...pretends(version));
};

describe("Python", () => {
  test("is the one on PATH", async () => {
    const path = machine.program("python3", ...pretends("3.13.2"));
    pyenv("3.12.1");
    expect(await findPython()).toEqual({ path, version: "3.13.2" });
  });

  test("is 3.12 when there are several", async () => {
    machine.program("python3", ...pretends("3.14.0"));
    const path = machine.program("python3.12", ...pretends("3.12.7"));
    expect(await findPython()).toEqual({ path, version: "3.12.7" });
  });

  test("on PATH that is too old, or without venv, gives way to pyenv's", async () => {
    machine.program("python3", ...pretends("3.11.2"));
    machine.program("python3.13", "exit 1");
    pyenv("3.9.18");
    pyenv("3.13.0");
    const path = pyenv("3.12.10");
    expect(await findPython()).toEqual({ path, version: "3.12.10" });
  });

  test("is installed by uv where there is one", async () => {
    const path = writeProgram(join(machine.folder, "uv-python"), "python3", ...pretends("3.12.9"));
    const mark = join(machine.folder, "installed");
    machine.program(
      "uv",
      `case "$1 $2" in "python find") [ -e ${mark} ] && echo ${path} ;; "python install") : > ${mark} ;; esac`,
    );
    expect(await findPython()).toEqual({ path, version: "3.12.9" });
    expect(readFileSync(join(machine.cache, "logs/uv.log"), "utf8")).toMatch(/uv python install 3\.12\n$/);
  });

  const withUv =
    "This system has no package of it. Install one with: curl -LsSf https://astral.sh/uv/install.sh | sh && uv python install 3.12";
  test.each([
    ["apt-get", "3.13.5-1", "Install with: sudo apt-get install -y python3 python3-venv"],
    ["apt-get", "3.11.2-1+b1", withUv],
    ["dnf", "", "Install with: sudo dnf install -y python3.12"],
    ["pacman", "", "Install with: sudo pacman -S --noconfirm python"],
    ["brew", "", "Install with: brew install python@3.12"],
    ["nothing", "", withUv],
  ])("that is nowhere is an error with the command of %s (%s)", async (manager, candidate, remedy) => {
    vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(1000);
    machine.program("python3", ...pretends("3.11.2"));
    machine.program(manager, "exit 1");
    machine.program("apt-cache", `echo '  Candidate: ${candidate}'`);
    const message = "Python 3.12 or later with its venv module not found on PATH, in pyenv, nor by uv";
    await expect(findPython()).rejects.toMatchObject({ message, remedy });
  });
});

describe("a Python environment", () => {
  /** Makes "environments" that hold itself as their python, and notes each call. */
  const python = (...install: string[]): string =>
    machine.program(
      "python3.12",
      `echo "$*" >> ${machine.folder}/calls`,
      `if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp ${machine.bin}/python3.12 "$3/bin/python"; exit; fi`,
      ...install,
    );
  const calls = (): string[] => readFileSync(join(machine.folder, "calls"), "utf8").trim().split("\n");

  test("is made once, with every file checked against its hash", async () => {
    const found = { path: python(), version: "3.12.1" };
    const folder = await installPythonLock("", "Installing", found);
    expect(await installPythonLock("", "Installing", found)).toBe(folder);
    expect(calls()).toEqual([
      `-m venv ${folder}`,
      expect.stringMatching(/^-m pip .* install --require-hashes -r .*scripts\/setup\/requirements\.txt$/),
    ]);
  });

  test("leaves nothing when pip fails, and the error shows pip's log", async () => {
    const found = { path: python("echo no index >&2; exit 1"), version: "3.12.1" };
    const failing = installPythonLock("", "Installing", found);
    await expect(failing).rejects.toMatchObject({ log: join(machine.cache, "logs/python.log") });
    expect(readdirSync(join(machine.cache, "python"))).toEqual([]);
    expect(readFileSync(join(machine.cache, "logs/python.log"), "utf8")).toMatch(/\nno index\n$/);
  });

  test("is made anew when the Python that it was made with is gone", async () => {
    const found = { path: python(), version: "3.12.1" };
    const folder = await installPythonLock("", "Installing", found);
    rmSync(join(folder, "bin/python"));
    symlinkSync(join(machine.folder, "uninstalled"), join(folder, "bin/python"));
    await installPythonLock("", "Installing", found);
    expect(calls()).toHaveLength(4);
    expect(existsSync(join(folder, "bin/python"))).toBe(true);
  });
});
