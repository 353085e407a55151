import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { installPythonLock } from "../../../../../scripts/stack/setup/python-environment.ts";
import { uvEnvironment } from "../../../../../scripts/stack/setup/uv-environment.ts";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();

describe("a Python environment", () => {
  /** Makes "environments" that hold itself as their python, and installs a uv by pip; all of them note each call. */
  const python = (parts: { uv?: string; pip?: string } = {}) => {
    const note = (name: string): string => `echo "${name} $*" >> ${machine.folder}/calls`;
    machine.program("uv-of-pypi", note("uv"), 'echo "index $UV_DEFAULT_INDEX" >&2', parts.uv ?? "");
    const path = machine.program(
      "python3.12",
      note("python"),
      'for last in "$@"; do :; done',
      `if [ "$2" = venv ]; then mkdir -p "$last/bin"; cp ${machine.bin}/python3.12 "$last/bin/python"; exit; fi`,
      `case "$*" in`,
      `*"config list") echo "global.index-url='https://mirror.example/simple'" ;;`,
      `*requirements-uv.txt) ${parts.pip ?? `cp ${machine.bin}/uv-of-pypi "\${0%/*}/uv"`} ;;`,
      "esac",
    );
    return { path, version: "3.12.1" };
  };
  const calls = (): string[] => readFileSync(join(machine.folder, "calls"), "utf8").trim().split("\n");

  test("is made once, by uv, with every file checked against its hash", async () => {
    const found = python();
    const folder = await installPythonLock("", "Installing", found);
    expect(await installPythonLock("", "Installing", found)).toBe(folder);
    const [uv = ""] = readdirSync(join(machine.cache, "python-uv"));
    expect(calls()).toEqual([
      `python -m venv ${join(machine.cache, "python-uv", uv)}`,
      expect.stringMatching(/^python -m pip .* install --require-hashes -r .*requirements-uv\.txt$/),
      `python -m venv --without-pip ${folder}`,
      expect.stringMatching(/^python -m pip .* config list$/),
      expect.stringMatching(
        new RegExp(`^uv pip install .*--require-hashes --python ${folder}/bin/python -r .*/requirements\\.txt$`),
      ),
    ]);
  });

  test("comes from where pip is configured to get packages", async () => {
    await installPythonLock("", "Installing", python());
    expect(readFileSync(join(machine.cache, "logs/python.log"), "utf8")).toContain(
      "\nindex https://mirror.example/simple\n",
    );
  });

  test("shares its uv with one that is made at the same time", async () => {
    const found = python();
    await Promise.all(["", "-go"].map((name) => installPythonLock(name, "Installing", found)));
    expect(calls().filter((call) => call.endsWith("requirements-uv.txt"))).toHaveLength(1);
  });

  test("is made by pip where uv fails, hashes and all", async () => {
    const folder = await installPythonLock("", "Installing", python({ uv: "exit 1" }));
    expect(calls().at(-1)).toMatch(
      new RegExp(`^python -m pip .* --python ${folder}/bin/python install --require-hashes -r .*/requirements\\.txt$`),
    );
  });

  test("leaves nothing when there is no package index, and the error shows pip's log", async () => {
    const failing = installPythonLock("", "Installing", python({ pip: "echo no index >&2; exit 1" }));
    await expect(failing).rejects.toMatchObject({
      log: join(machine.cache, "logs/python-uv.log"),
      remedy: "Check that pip can reach its package index, then try again.",
    });
    for (const name of ["python", "python-uv"]) expect(readdirSync(join(machine.cache, name))).toEqual([]);
    expect(readFileSync(join(machine.cache, "logs/python-uv.log"), "utf8")).toMatch(/\nno index\n$/);
  });

  test("is created again if its Python was removed", async () => {
    const found = python();
    const folder = await installPythonLock("", "Installing", found);
    rmSync(join(folder, "bin/python"));
    symlinkSync(join(machine.folder, "uninstalled"), join(folder, "bin/python"));
    await installPythonLock("", "Installing", found);
    expect(calls().filter((call) => call.startsWith("uv pip install"))).toHaveLength(2);
    expect(existsSync(join(folder, "bin/python"))).toBe(true);
  });
});

describe("uv's environment", () => {
  test("holds what pip's configuration says of the index, the more specific before the less", () => {
    const config = [
      ":env:.cert='/etc/ssl/corporate.crt'",
      "global.cert='/etc/ssl/other.crt'",
      "global.index-url='https://one.example/simple'",
      "install.index-url='https://two.example/simple'",
      "install.extra-index-url='\\nhttps://three.example/simple\\nhttps://four.example/simple'",
      "global.progress-bar='off'",
      "wheel.find-links='/elsewhere'",
    ].join("\n");
    expect(uvEnvironment(config, {})).toMatchObject({
      SSL_CERT_FILE: "/etc/ssl/corporate.crt",
      UV_DEFAULT_INDEX: "https://two.example/simple",
      UV_INDEX: "https://three.example/simple https://four.example/simple",
    });
    expect(uvEnvironment(config, {})).not.toHaveProperty("UV_FIND_LINKS");
  });

  test("keeps what a person set for uv itself, and its cache within ours", () => {
    const own = { UV_DEFAULT_INDEX: "https://own.example/simple", HOME: "/home/ada", CHANGELINGS_CACHE: "/cache" };
    const env = uvEnvironment("global.index-url='https://pip.example/simple'", own);
    expect(env).toMatchObject({ ...own, UV_CACHE_DIR: "/cache/uv" });
  });
});
