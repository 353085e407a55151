/**
 * The program behind the fence: it loads one version's bundle, or its tests, and runs the calls of the service. It is bundled
 * to one CommonJS program without dependencies, which Node reads from its standard input.
 */
import assert from "node:assert/strict";
// The global `process` is removed.
import process from "node:process";
import { Script } from "node:vm";
import { Agent, describe } from "./agent.ts";
import { type Message, openChannel } from "./channel.ts";
import { prepareGlobals } from "./globals.ts";
import { Tests } from "./tests.ts";

const channel = openChannel();
const agent = new Agent(channel);
const tests = new Tests(channel);

process.on("uncaughtException", (error) => {
  process.stderr.write(`${describe(error)}\n`, () => process.exit(1));
});

prepareGlobals((message) => agent.log(message));

channel.onMessage((message) => {
  if (message.type === "load") load(message);
  else if (message.type === "call") void agent.call(message);
  else if (message.type === "value") agent.value(message);
  else if (message.type === "run") void tests.run();
  else tests.result(message);
});
channel.send({ type: "ready" });

function load({ bundle, tests: isTests }: Message): void {
  try {
    // A CommonJS module in strict mode, in which functions have no `caller`.
    const script = new Script(`(function (module, exports, require) { "use strict"; ${bundle}\n})`, {
      filename: "agent.cjs",
    });
    const module = { exports: {} };
    script.runInThisContext()(module, module.exports, isTests ? requireInTests : requireNothing);
    if (!isTests) agent.load(module.exports);
    channel.send({ type: "loaded", tests: tests.count });
  } catch (error) {
    channel.send({ type: "failed", message: describe(error) });
  }
}

function requireInTests(name: string): unknown {
  if (name === "seed") return tests.module();
  if (name === "node:assert/strict") return assert;
  return requireNothing(name);
}

function requireNothing(name: string): never {
  throw new Error(`the module "${name}" can't be loaded here`);
}
