import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";
import { which } from "../../scripts/stack/setup/toolchain.mjs";

/** A home, a cache and a PATH for one test. The environment variables that setup reads point to them. */
export interface Machine {
  readonly folder: string;
  readonly home: string;
  readonly cache: string;
  /** The only folder on PATH. */
  readonly bin: string;
  /** Puts a shell script on PATH. */
  program(name: string, ...lines: string[]): string;
  /** Puts programs of the real machine on PATH. */
  link(...names: string[]): void;
}

/** Programs that the fakes need. */
const BASICS = ["sh", "mkdir", "cat", "cp", "chmod", "tar", "gzip", "sleep"];

export function useMachine(): Machine {
  const state = { folder: "" };
  const at = (name: string): string => join(state.folder, name);
  const realPath = process.env.PATH ?? "";
  const machine: Machine = {
    get folder() {
      return state.folder;
    },
    get home() {
      return at("home");
    },
    get cache() {
      return at("cache");
    },
    get bin() {
      return at("bin");
    },
    program(name, ...lines) {
      return writeProgram(at("bin"), name, ...lines);
    },
    link(...names) {
      for (const name of names) symlinkSync(which(name, realPath) ?? `/nonexistent/${name}`, join(at("bin"), name));
    },
  };
  beforeEach(() => {
    state.folder = mkdtempSync(join(tmpdir(), "setup-"));
    for (const name of ["home", "cache", "bin"]) mkdirSync(at(name));
    machine.link(...BASICS);
    vi.stubEnv("HOME", machine.home);
    vi.stubEnv("PATH", machine.bin);
    vi.stubEnv("CHANGELINGS_CACHE", machine.cache);
    vi.stubEnv("PYENV_ROOT", at("pyenv"));
    vi.stubEnv("PULUMI_HOME", undefined);
    vi.stubEnv("PULUMI_CREDENTIALS_PATH", undefined);
    vi.stubEnv("CHROMIUM", undefined);
    // Messages to the user are not part of these tests' output.
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(state.folder, { recursive: true, force: true });
  });
  return machine;
}

export function writeProgram(folder: string, name: string, ...lines: string[]): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, ["#!/bin/sh", "set -eu", ...lines, ""].join("\n"));
  chmodSync(file, 0o755);
  return file;
}
