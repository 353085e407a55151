import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, it } from "vitest";
import { changelingProgram } from "../../../../scripts/changeling/program.ts";
import { checkout } from "../../../../scripts/stack/setup/cache.mjs";

it("prints the released version", async () => {
  const version = readFileSync(join(checkout, "VERSION"), "utf8");
  let printed = "";
  const program = (await changelingProgram()).configureOutput({ writeOut: (text) => (printed += text) });
  expect(() => program.parse(["--version"], { from: "user" })).toThrow(expect.objectContaining({ exitCode: 0 }));
  expect(printed).toBe(version);
});

it("has each command with its help, also when it loads only this one", async () => {
  const helpOf = (program: Command) => new Map(program.commands.map((each) => [each.name(), each.helpInformation()]));
  const all = helpOf(await changelingProgram());
  expect(all.size).toBeGreaterThan(20);
  for (const [name, help] of all) {
    const loaded = helpOf(await changelingProgram(name));
    expect(loaded.get(name)).toBe(help);
    expect(loaded.size, name).toBeLessThan(3);
  }
  expect([...helpOf(await changelingProgram("plans")).keys()]).toEqual([...all.keys()]);
});
