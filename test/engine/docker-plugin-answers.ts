import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPlugin } from "../../scripts/stack/plugins/install.ts";
import { fixtures, type TidyAnswer } from "./docker-plugin-fixtures.ts";
import { ownAnswers } from "./docker-plugin-own-answers.ts";

export const container = "docker:index/container:Container";
export const volume = "docker:index/volume:Volume";

/** The stand-in; to ask another plugin, for instance the official one, name its executable in this variable. */
const other = process.env["CHANGELINGS_DOCKER_PLUGIN"];

/** What is asked, and a folder of the test's own; both are there once the tests run. */
export interface AskedPlugin {
  readonly folder: string;
  readonly executable: string;
  /** A folder for PATH with a docker client of these shell commands. */
  clientThat(...lines: string[]): Promise<string>;
}

/** For a test file: installs the stand-in before its tests, and removes it after them. */
export function askedPlugin(): AskedPlugin {
  let folder = "";
  let executable = resolve(other ?? "");
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "docker-plugin-"));
    if (other !== undefined) return;
    const installed = await installPlugin("docker", { pulumiHome: join(folder, "home"), node: process.execPath });
    executable = join(installed.folder, "pulumi-resource-docker");
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return {
    get folder() {
      return folder;
    },
    get executable() {
      return executable;
    },
    async clientThat(...lines) {
      const clients = await mkdtemp(join(folder, "clients-"));
      await writeFile(join(clients, "docker"), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
      return clients;
    },
  };
}

/** One test for each question that the official plugin was asked. */
export function compareAnswers(name: keyof typeof fixtures, ask: () => Promise<TidyAnswer[]>): void {
  let answers: TidyAnswer[];
  beforeAll(async () => {
    answers = await ask();
  });
  const own = ownAnswers[name];
  const { scenarios } = fixtures[name];
  for (const [index, scenario] of scenarios.entries()) {
    test(`${name}: ${scenario.name}`, () => {
      const isOwn = other === undefined && own[scenario.name] !== undefined;
      expect(answers[index]).toEqual(isOwn ? own[scenario.name] : scenario.answer);
    });
  }
  test(`${name}: own answers are to questions that are asked`, () => {
    expect(scenarios.map((scenario) => scenario.name)).toEqual(expect.arrayContaining(Object.keys(own)));
  });
}
