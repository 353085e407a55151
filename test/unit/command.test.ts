import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, it } from "vitest";
import { repairOf } from "../../components/command.ts";

const urn = (name: string) => `urn:pulumi:dev::changelings::changelings:cron:X$command:local:Command::${name}`;
const state = {
  [urn("healthy-job")]: { outputs: { environment: { DRIFT: "" } } },
  [urn("repaired-job")]: { outputs: { environment: { DRIFT: "its job file is missing (repair 9)" } } },
  // As releases before 0.2 wrote it.
  [urn("older-job")]: {
    outputs: { environment: { DRIFT: "its job file is missing (seen 2026-11-21T06:00:00.123Z)" } },
  },
  [urn("former-job")]: { outputs: { environment: { DRIFT: "its job file was edited by hand (repair 1)" } } },
};

beforeAll(() =>
  pulumi.runtime.setMocks(
    {
      newResource: ({ name, inputs }) => ({ id: name, state: inputs }),
      call: ({ token }) => {
        if (token !== "pulumi:pulumi:readStackResourceOutputs") throw new Error(`${token} is called`);
        return { outputs: state };
      },
    },
    "changelings",
    "dev",
    false,
    "organization",
  ),
);

it.each([
  ["a first drift", "healthy-job", [], "its job file is missing (repair 1)"],
  ["the same drift again", "repaired-job", [], "its job file is missing (repair 10)"],
  ["a drift after one of an older release", "older-job", [], "its job file is missing (repair 1)"],
  ["a drift of what was renamed", "new-job", ["former-job"], "its job file is missing (repair 2)"],
  ["nothing before the first up", "new-job", [], ""],
])(
  "the DRIFT of a Command is a change for %s, and the same in preview and up",
  async (_what, name, former, expected) => {
    expect(await repairOf(name, "its job file is missing", former)).toBe(expected);
    expect(await repairOf(name, "its job file is missing", former)).toBe(expected);
    expect(repairOf(name, undefined, former)).toBe("");
  },
);
