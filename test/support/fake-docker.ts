import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, vi } from "vitest";

/** A `docker` in its own folder for each test. */
export class FakeDocker {
  folder = "";

  constructor() {
    beforeEach(() => {
      this.folder = mkdtempSync(join(tmpdir(), "fake-docker-"));
    });
    afterEach(() => {
      vi.unstubAllEnvs();
      rmSync(this.folder, { recursive: true });
    });
  }

  /** Puts this shell script on PATH as `docker`. */
  is(script: string): void {
    const bin = join(this.folder, "bin");
    mkdirSync(bin, { recursive: true });
    const text = ["#!/bin/sh", `printf '%s\\n' "$*" >>'${join(this.folder, "calls")}'`, script, ""].join("\n");
    writeFileSync(join(bin, "docker"), text, { mode: 0o755 });
    vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`);
  }

  /** The arguments of its calls, oldest first. */
  calls(): string[] {
    return readFileSync(join(this.folder, "calls"), "utf8").trimEnd().split("\n");
  }
}
