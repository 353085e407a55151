import { expect, it } from "vitest";
import { commandsIn, stackState } from "../../../components/stack/engine-state.ts";

const urn = "urn:pulumi:dev::changelings::changelings:cron:CronChangeling$command:local:Command::worker-app";
const home = "urn:pulumi:dev::changelings::changelings:modal:ModalHome::modal";

it("reads the Commands of a state beside whatever outputs the components have", () => {
  const read = {
    name: "dev",
    outputs: {
      [urn]: { outputs: { environment: { DRIFT: "its app is stopped (repair 1)" }, stdout: "{}" }, type: "command" },
      [home]: { outputs: { environment: "mngr-0123", stdout: 1 }, type: "changelings:modal:ModalHome" },
      "urn:pulumi:dev::changelings::pulumi:pulumi:Stack::s": { outputs: {}, type: "pulumi:pulumi:Stack" },
    },
  };
  expect(commandsIn(read)[0]).toEqual({
    urn,
    environment: { DRIFT: "its app is stopped (repair 1)" },
    stdout: "{}",
  });
  expect(commandsIn(read).map(({ environment }) => Object.keys(environment).length)).toEqual([1, 0, 0]);
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
