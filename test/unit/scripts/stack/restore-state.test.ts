import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { restoreState } from "../../../../scripts/stack/restore-state.ts";

describe("a stack's state", () => {
  let backendFolder: string;
  const state = () => join(backendFolder, ".pulumi/stacks/changelings/dev.json");
  const restore = () => restoreState({ backendFolder, project: "changelings", name: "dev" });
  let said: string;
  beforeEach(() => {
    backendFolder = mkdtempSync(join(tmpdir(), "state-"));
    mkdirSync(join(backendFolder, ".pulumi/stacks/changelings"), { recursive: true });
    said = "";
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      said += text;
      return true;
    });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(backendFolder, { recursive: true });
  });

  it.each(["", '{"version": 3, "checkp'])("is restored from its backup if it reads %j", (truncated) => {
    writeFileSync(state(), truncated);
    writeFileSync(`${state()}.attrs`, "{}");
    writeFileSync(`${state()}.bak`, '{"version": 3}');
    restore();
    expect(readFileSync(state(), "utf8")).toBe('{"version": 3}');
    expect(existsSync(`${state()}.attrs`)).toBe(false);
    expect(said).toContain("dev.json was truncated");
  });

  it.each([
    ["it is whole", '{"version": 4}', '{"version": 3}'],
    ["its backup is truncated too", "", "{"],
    ["it has no backup", "", undefined],
    ["there is none", undefined, '{"version": 3}'],
  ])("is not touched if %s", (_why, content, backup) => {
    if (content !== undefined) writeFileSync(state(), content);
    if (backup !== undefined) writeFileSync(`${state()}.bak`, backup);
    restore();
    expect(existsSync(state()) ? readFileSync(state(), "utf8") : undefined).toBe(content);
    expect(said).toBe("");
  });
});
