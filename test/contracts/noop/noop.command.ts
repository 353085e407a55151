/** Writes or removes the greeting of a noop changeling: the `<name>-noop` Command. */
import { rmSync, writeFileSync } from "node:fs";
import * as z from "zod/mini";
import { commandScript } from "../../../components/command-script.ts";
import { greetingFile } from "./greetings.ts";

export default commandScript({
  variables: z.object({ NAME: z.string(), GREETING: z.string() }),
  timeoutSeconds: 10,
  async apply({ NAME: name, GREETING: greeting }) {
    writeFileSync(greetingFile(name), greeting);
    return { written: name };
  },
  async remove({ NAME: name }) {
    rmSync(greetingFile(name), { force: true });
    return { removed: name };
  },
});
