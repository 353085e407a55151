import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installCommandPlugin } from "../../scripts/command-plugin/install.ts";
import type { Answer } from "./command-plugin-driver.ts";
import { ask, askAroundCancel, fixture, fixtureNames, fixturePath } from "./command-plugin-fixtures.ts";

let pulumiHome: string;
let executable: string;

beforeAll(async () => {
  pulumiHome = await mkdtemp(join(tmpdir(), "command-plugin-home-"));
  const { folder } = await installCommandPlugin({ pulumiHome, node: process.execPath });
  executable = join(folder, "pulumi-resource-command");
});

afterAll(() => rm(pulumiHome, { recursive: true, force: true }));

describe("the stand-in answers as the official plugin did", async () => {
  for (const name of fixtureNames) {
    const { scenarios } = fixture.parse(JSON.parse(await readFile(fixturePath(name), "utf8")));
    describe(name, () => {
      let answers: Answer[];
      beforeAll(async () => {
        answers = await (name === "cancel" ? askAroundCancel : ask)(executable, scenarios);
      });
      test.each(scenarios.map((scenario, index) => [scenario.name, scenario, index] as const))(
        "%s",
        (_, scenario, index) => {
          expect(answers[index]).toEqual(scenario.answer);
        },
      );
    });
  }
});
