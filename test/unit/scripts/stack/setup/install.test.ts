import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { installFolder, installInPlace, isComplete } from "../../../../../scripts/stack/setup/install.mjs";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();
const folder = (): string => join(machine.cache, "tool/1.0.0");
const neighbours = (): string[] => readdirSync(join(machine.cache, "tool"));

describe("a folder that gets its name when it is whole", () => {
  test("is made once", async () => {
    let times = 0;
    const make = async (temporary: string): Promise<void> => {
      times += 1;
      expect(existsSync(folder())).toBe(false);
      writeFileSync(join(temporary, "file"), "content");
    };
    await installFolder(folder(), make);
    await installFolder(folder(), make);
    expect(times).toBe(1);
    expect(readFileSync(join(folder(), "file"), "utf8")).toBe("content");
    expect(neighbours()).toEqual(["1.0.0"]);
  });

  test("leaves nothing when its making fails", async () => {
    const make = async (temporary: string): Promise<void> => {
      writeFileSync(join(temporary, "half"), "");
      throw new Error("no");
    };
    await expect(installFolder(folder(), make)).rejects.toThrow("no");
    expect(neighbours()).toEqual([]);
  });

  test("takes away what a setup that was killed left behind, and no neighbour", async () => {
    mkdirSync(`${folder()}.123.tmp`, { recursive: true });
    mkdirSync(join(machine.cache, "tool/2.0.0"));
    await installFolder(folder(), async () => undefined);
    expect(neighbours()).toEqual(["1.0.0", "2.0.0"]);
  });
});

describe("a folder that is made in place", () => {
  test("is made once", async () => {
    let times = 0;
    const make = async (): Promise<void> => {
      times += 1;
    };
    await installInPlace(folder(), make);
    await installInPlace(folder(), make);
    expect(times).toBe(1);
    expect(isComplete(folder())).toBe(true);
  });

  test("leaves nothing when its making fails", async () => {
    const make = async (): Promise<void> => {
      writeFileSync(join(folder(), "half"), "");
      throw new Error("no");
    };
    await expect(installInPlace(folder(), make)).rejects.toThrow("no");
    expect(neighbours()).toEqual([]);
  });

  test("is created again if its creation was killed", async () => {
    mkdirSync(folder(), { recursive: true });
    writeFileSync(join(folder(), "half"), "");
    await installInPlace(folder(), async () => writeFileSync(join(folder(), "whole"), ""));
    expect(readdirSync(folder()).sort()).toEqual([".complete", "whole"]);
  });
});
