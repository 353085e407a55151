import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { askedPlugin, compareAnswers, container, volume } from "./docker-plugin-answers.ts";
import { askDiffs, askRequests } from "./docker-plugin-fixtures.ts";
import { PluginDriver } from "./plugin-driver.ts";
import type { Request } from "./plugin-messages.ts";

// Questions that need a daemon are in test/journeys/docker-plugin.test.ts.
const asked = askedPlugin();

describe("answers as the official plugin did", () => {
  compareAnswers("requests", () => askRequests(asked.executable));
  compareAnswers("diff", () => askDiffs(asked.executable));
});

describe("where it differs from the official plugin on purpose", () => {
  const send = async (message: Request, env: Record<string, string> = {}) => {
    await using plugin = await PluginDriver.start(asked.executable, asked.folder, {
      PATH: process.env["PATH"] ?? "",
      ...env,
    });
    return await plugin.send(message);
  };
  const remedy = "use a PULUMI_HOME with the official plugin: pulumi plugin install resource docker 5.2.0";

  test("an input that only the official plugin serves is refused with the remedy", async () => {
    const news = { name: "n", image: "i", privileged: true, mounts: [{ type: "bind", target: "/a", bindOptions: {} }] };
    const { response } = await send({ method: "check", token: container, news });
    const refusal = (property: string) => ({
      property,
      reason: `${property} is not served by the stand-in for the docker plugin that is installed here. Leave it out, or ${remedy}`,
    });
    expect(response?.["failures"]).toEqual([refusal("mounts[0].bindOptions"), refusal("privileged")]);
  });

  test("so is a resource", async () => {
    const { error } = await send({ method: "check", token: "docker:index/network:Network", news: {} });
    expect(error).toEqual({
      code: "UNIMPLEMENTED",
      message:
        "docker:index/network:Network is not served by the stand-in for the docker plugin that is installed here, " +
        `which only serves ${container} and ${volume}. ${remedy.replace("use", "Use")}`,
    });
  });

  test("so is a setting of the provider", async () => {
    const { response } = await send({ method: "checkConfig", news: { certPath: "/certs" } });
    expect(response?.["failures"]).toEqual([
      {
        property: "certPath",
        reason:
          "docker:certPath is not served by the stand-in for the docker plugin; set DOCKER_HOST or DOCKER_CONTEXT instead",
      },
    ]);
  });

  test("without a docker client, the error says how to get one", async () => {
    const answer = await send(
      { method: "create", token: volume, news: { name: "v" } },
      { PATH: join(asked.folder, "empty") },
    );
    expect(answer.error?.message).toBe(
      "Unable to create volume: the docker client is not on PATH; install it: https://docs.docker.com/engine/install/",
    );
  });
});

test("a host or a context in the provider's settings goes to the docker client", async () => {
  const clients = await asked.clientThat('echo "asked: $*" >&2', "exit 1");
  const ask = async (settings: Record<string, string>) => {
    await using plugin = await PluginDriver.start(asked.executable, asked.folder, { PATH: clients }, settings);
    return (await plugin.send({ method: "read", token: volume, id: "v", olds: {} })).error?.message;
  };
  expect(await ask({})).toBe("asked: system dial-stdio");
  expect(await ask({ host: "ssh://x" })).toBe("asked: --host ssh://x system dial-stdio");
  expect(await ask({ host: "ssh://x", context: "far" })).toBe("asked: --context far system dial-stdio");
});
