import { expect, it } from "vitest";
import { commandsIn } from "../../../components/stack/engine-state.ts";

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
