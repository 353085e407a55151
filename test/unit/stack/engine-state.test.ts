import { expect, it } from "vitest";
import { commandsIn, stackState } from "../../../components/stack/engine-state.ts";
import { exportedState } from "../../../components/stack/state.ts";

const urn = "urn:pulumi:dev::changelings::changelings:cron:CronChangeling$command:local:Command::worker-app";
const home = "urn:pulumi:dev::changelings::changelings:modal:ModalHome::modal";
const component = "urn:pulumi:dev::changelings::changelings:cron:LocalScheduler::worker-app";

it("reads only the Commands of a state, whatever names and outputs the components have", () => {
  const read = {
    name: "dev",
    outputs: {
      [component]: { outputs: {}, type: "changelings:cron:LocalScheduler" },
      [urn]: { outputs: { environment: { DRIFT: "its app is stopped (repair 1)" }, stdout: "{}" }, type: "command" },
      [home]: { outputs: { environment: "mngr-0123", stdout: 1 }, type: "changelings:modal:ModalHome" },
      "urn:pulumi:dev::changelings::pulumi:pulumi:Stack::s": { outputs: {}, type: "pulumi:pulumi:Stack" },
    },
  };
  const environment = { DRIFT: "its app is stopped (repair 1)" };
  expect(commandsIn(read)).toEqual([{ urn, environment, stdout: "{}" }]);
  const resources = [{ urn: component }, { urn: home }, { urn, inputs: { environment } }];
  expect(exportedState(JSON.stringify({ deployment: { resources } })).commands).toEqual([{ urn, environment }]);
});

it("reads a state again that the engine is just writing, and reports any other error", async () => {
  const failures = ["failed to load checkpoint: EOF", "failed to load checkpoint: unexpected end of JSON input"];
  const state = await stackState("dev", async () => {
    const failure = failures.shift();
    if (failure !== undefined) throw new Error(`invocation of readStackResourceOutputs returned an error: ${failure}`);
    return { outputs: { [urn]: { outputs: { environment: { NAME: "worker" } } } } };
  });
  expect(state?.commands).toHaveLength(1);
  expect(failures).toEqual([]);
  const failing = (message: string) => stackState("dev", () => Promise.reject(new Error(message)));
  await expect(failing("failed to load checkpoint: access denied")).rejects.toThrow("access denied");
  await expect(failing("unknown stack")).resolves.toBeUndefined();
});
