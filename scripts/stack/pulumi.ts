/** `npm run pulumi -- …`: the Pulumi CLI of setup, on the backend and stack that the user has chosen. */
import { parseArgs } from "node:util";
import { endLike, passThrough } from "../setup/pass-through.mjs";
import { commandsOn } from "./stack.ts";

const args = process.argv.slice(2);
const { values } = parseArgs({ args, options: { stack: { type: "string", short: "s" } }, strict: false });
const stack = typeof values.stack === "string" ? { name: values.stack } : undefined;
const commands = stack === undefined ? { CHANGELINGS_UP: "npm run pulumi -- up" } : commandsOn(stack);
endLike(await passThrough(["pulumi", ...args], { ...process.env, ...commands }));
