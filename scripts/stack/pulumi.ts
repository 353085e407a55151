/** `npm run pulumi -- …`: the Pulumi CLI of setup, on the backend and stack that the user has chosen. */
import { parseArgs } from "node:util";
import { endLike, passThrough } from "./setup/pass-through.mjs";
import { commandsOn, leanProgram } from "./stack.ts";

const args = process.argv.slice(2);
const options = { stack: { type: "string", short: "s" }, cwd: { type: "string", short: "C" } } as const;
const { values, positionals } = parseArgs({ args, options, strict: false, allowPositionals: true });
const stack = typeof values.stack === "string" ? { name: values.stack } : undefined;
const commands = stack === undefined ? { CHANGELINGS_UP: "npm run pulumi -- up" } : commandsOn(stack);
// Of another project, only its own SDK can run the program.
const program = values.cwd === undefined ? leanProgram : {};
const end = await passThrough(["pulumi", ...args], { ...process.env, ...program, ...commands });
if (end.signal === null && end.code !== 0 && values.cwd === undefined) {
  const { embeddedHint } = await import("./embedded-hint.ts");
  const hint = embeddedHint(positionals, stack?.name);
  if (hint !== undefined) process.stderr.write(`\n${hint}`);
}
endLike(end);
