import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { changelingProgram } from "../../../../scripts/changeling/program.ts";
import { checkout } from "../../../../scripts/setup/cache.mjs";

it("prints the released version", () => {
  const version = readFileSync(join(checkout, "VERSION"), "utf8");
  let printed = "";
  const program = changelingProgram().configureOutput({ writeOut: (text) => (printed += text) });
  expect(() => program.parse(["--version"], { from: "user" })).toThrow(expect.objectContaining({ exitCode: 0 }));
  expect(printed).toBe(version);
});
