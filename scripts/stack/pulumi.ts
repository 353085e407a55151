/** `npm run pulumi -- …`: the Pulumi CLI of setup, on the backend and stack that the user has chosen. */
import { parseArgs } from "node:util";
import { endLike, passThrough } from "../setup/pass-through.mjs";
import { commandsOn, leanProgram } from "./stack.ts";

const args = process.argv.slice(2);
const options = { stack: { type: "string", short: "s" }, cwd: { type: "string", short: "C" } } as const;
const { values } = parseArgs({ args, options, strict: false });
const stack = typeof values.stack === "string" ? { name: values.stack } : undefined;
const commands = stack === undefined ? { CHANGELINGS_UP: "npm run pulumi -- up" } : commandsOn(stack);
// Of another project, only its own SDK can run the program.
const program = values.cwd === undefined ? leanProgram : {};
endLike(await passThrough(["pulumi", ...args], { ...process.env, ...program, ...commands }));
