import { expect, it } from "vitest";
import { dockerBuildArgs } from "../../../components/cron/modal/pinned-build.ts";

it.each([
  ["nothing to set", [], null, {}],
  [
    "values of ARG instructions, among others",
    ["cpu=2", "docker-build-arg=A=b=c", "docker-build-arg=D="],
    null,
    { A: "b=c", D: "" },
  ],
  ["a secret, which only the run has", ["secret=NPM_TOKEN"], null, undefined],
  ["a template, which may add to them", ["docker-build-arg=A=b"], "big", undefined],
])("an image is built before its first run with %s", (_, buildArgs, template, expected) => {
  expect(dockerBuildArgs({ buildArgs, template })).toEqual(expected);
});
