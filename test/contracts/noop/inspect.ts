import { existsSync, readFileSync } from "node:fs";
import { upCommand } from "../../../components/lib/own-commands.ts";
import { failed, ok } from "../../../components/stack/check.ts";
import type { Inspection, Listed } from "../../../components/stack/inspection.ts";
import { greeters, greetingFile } from "./greetings.ts";
import type { DeclaredNoop } from "./kind.ts";

interface ListedNoop extends Listed {
  readonly greeting: string;
}

export const noopInspection: Inspection<ListedNoop, DeclaredNoop> = {
  async list() {
    const changelings = greeters().map((name) => ({
      name,
      kind: "noop",
      provider: "local",
      enabled: true,
      greeting: readFileSync(greetingFile(name), "utf8"),
    }));
    return {
      changelings,
      columns: ["GREETING"],
      cells: changelings.map(({ greeting }) => [greeting]),
      warnings: changelings.flatMap(({ name, greeting }) => (greeting === "" ? [`${name} says nothing`] : [])),
    };
  },
  async logs(_stack, name, run) {
    if (!existsSync(greetingFile(name))) return { deployed: greeters() };
    if (run !== undefined) throw new Error(`${name} is a noop, which has no runs`);
    const text = readFileSync(greetingFile(name), "utf8");
    return { data: { name, text }, text };
  },
  checked: "greetings",
  async diagnose(_stack, { declared }) {
    const { changelings } = await declared;
    return {
      deployed: changelings.map(({ name, greeting }) =>
        existsSync(greetingFile(name))
          ? ok(`greeting of ${name}`, greeting)
          : failed(`greeting of ${name}`, "its file is missing", upCommand()),
      ),
    };
  },
  differences: (_stack, state) => {
    const stated = state.filter(({ urn }) => urn.endsWith("::greeter-noop"));
    return stated.length === 0 || existsSync(greetingFile("greeter"))
      ? []
      : [{ name: "greeter", file: "greeting", words: "greeter is silent: its file is missing" }];
  },
  describe: ({ before, after }) =>
    after["GREETING"] === undefined
      ? { part: "greeting", fields: [], notes: [`it says "${before["GREETING"]}" no longer`] }
      : { part: "greeting", fields: [], notes: [`it says "${after["GREETING"]}"`] },
};
