import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModalStack, makeModalStack } from "../engine/modal-stack.ts";

const names = Array.from({ length: 40 }, (_, index) => `ant-${index + 10}`);
const minutes = 60_000;

describe("forty changelings on Modal", () => {
  let test: ModalStack;
  let env: NodeJS.ProcessEnv;
  let calls: string;
  beforeAll(async () => {
    test = await makeModalStack();
    calls = join(test.home, "calls");
    env = { PATH: [noting("modal", calls), test.env["PATH"]].join(delimiter) };
    const command = 'agent_type = "command"\nagent_args = ["true"]\nverify = "none"';
    test.declareOnModal(...names.map((name) => `[changelings.${name}]\n${command}`));
  });
  afterAll(async () => {
    // All of it is gone with the emulator: forty apps need not be stopped one by one before.
    await test?.emulator.stop();
    await test?.git.stop();
    if (test !== undefined) rmSync(test.home, { recursive: true, force: true, maxRetries: 3 });
  });

  /** A folder with a program of that name, which notes its call before it is the real one. */
  function noting(program: string, file: string): string {
    const folder = join(test.home, "noting");
    mkdirSync(folder);
    const script = `#!/bin/sh\necho "$1" >>'${file}'\nPATH=\${PATH#*:} exec ${program} "$@"\n`;
    writeFileSync(join(folder, program), script);
    chmodSync(join(folder, program), 0o755);
    return folder;
  }
  const noted = () => (existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : []);
  const rpcsOf = async <Result>(work: () => Promise<Result>) => {
    const before = (await test.emulator.control.rpcs()).length;
    const result = await work();
    const rpcs = (await test.emulator.control.rpcs(before)).map(({ method }) => method).sort();
    return { result, rpcs };
  };

  it("come in one up, with one deploy each", { timeout: 10 * minutes }, async () => {
    const { result, rpcs } = await rpcsOf(() => test.up(env));
    expect(result.code, result.stdout).toBe(0);
    const live = (await test.emulator.control.schedules()).map(({ app }) => app).sort();
    expect(live).toEqual(names.map((name) => `changeling_dev_${name}`));
    // Modal's SDK does all else, also the files of the home.
    expect(noted()).toEqual(names.map(() => "deploy"));
    expect(rpcs.filter((method) => method === "AppPublish")).toHaveLength(40);
    const images = (await test.emulator.control.state()).apps.flatMap(({ functions }) =>
      functions.map(({ image_id: id }) => id),
    );
    expect(new Set(images).size).toBe(1);
  });

  it("are looked at once when nothing changed, without a single command", async () => {
    const before = noted().length;
    const { result, rpcs } = await rpcsOf(() => test.up(env));
    expect(result.code, result.stdout).toBe(0);
    expect(result.stdout).toMatch(/^ {4}83 unchanged$/m);
    expect(rpcs).toEqual(
      [
        "AppList",
        "AuthTokenGet",
        "EnvironmentList",
        "SecretList",
        "VolumeGetFile2",
        "VolumeGetOrCreate",
        "VolumeGetOrCreate",
        "VolumeGetOrCreate",
        // Its snapshots, and the ids that its apps were deployed with.
        "VolumeListFiles",
        "VolumeListFiles",
        "VolumeList",
      ].sort(),
    );
    expect(noted()).toHaveLength(before);
  });
});
