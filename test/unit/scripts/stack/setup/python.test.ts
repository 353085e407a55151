import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { findPython, pythonInUse } from "../../../../../scripts/stack/setup/python.ts";
import { commandPluginFolder, toolchainFile } from "../../../../../scripts/stack/setup/toolchain.mjs";
import { useMachine, writeProgram } from "../../../../support/setup.ts";

const machine = useMachine();

const pretends = (version: string): string[] => [`echo ${version}`];
const pyenv = (version: string): string => {
  const bin = join(machine.folder, "pyenv/versions", version, "bin");
  return writeProgram(bin, "python3", ...pretends(version));
};

describe("Python", () => {
  test("for tests and checks is the one that mngr's environment was made with, without a search", async () => {
    const found = machine.program("python3", ...pretends("3.13.2"));
    expect(await pythonInUse()).toEqual({ path: found, version: "3.13.2" });
    const path = pyenv("3.12.1");
    const environment = join(machine.folder, "environment");
    const python = writeProgram(join(environment, "bin"), "python", "exit 1");
    writeFileSync(join(environment, "pyvenv.cfg"), `home = /x\nversion = 3.12.1\nexecutable = ${path}\n`);
    const other = writeProgram(machine.folder, "other", "exit 1");
    const pulumiHome = join(machine.cache, "pulumi-home/a");
    mkdirSync(commandPluginFolder(pulumiHome), { recursive: true });
    mkdirSync(dirname(toolchainFile()), { recursive: true });
    const programs = { node: other, pulumi: other, python, mngr: other, modal: other, needs: [] };
    writeFileSync(toolchainFile(), JSON.stringify({ ...programs, pulumiHome, ownPulumiHome: null }));
    expect(await pythonInUse()).toEqual({ path, version: "3.12.1" });
    rmSync(path);
    expect(await pythonInUse()).toEqual({ path: found, version: "3.13.2" });
  });

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
