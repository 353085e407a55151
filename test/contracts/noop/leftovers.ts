import { rmSync } from "node:fs";
import type { Leftovers } from "../../../components/stack/deployment.ts";
import { greeters, greetingFile } from "./greetings.ts";

export const noopLeftovers: Leftovers = {
  running: () => ["it greets"],
  async remove() {
    for (const name of greeters()) rmSync(greetingFile(name));
    return [];
  },
};
