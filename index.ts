/** The fleet: one file in, one component per changeling out. */
import * as pulumi from "@pulumi/pulumi";
import { kinds } from "./components/kinds.ts";
import { openStack } from "./components/stack/open.ts";

// The SDK takes a stack trace per promise and per resource: half of a large preview's time. Errors of ours need none.
if (!process.env["CHANGELINGS_DEBUG"]) {
  Object.assign(Error, { stackTraceLimit: 0, prepareStackTrace: undefined });
}

// Settings, fleet file, secrets: every error at once, before any change.
const stack = await openStack(new pulumi.Config(), kinds);
// One look at what is live, per kind and provider.
const observed = await stack.observe();

/** Per changeling what it is, and when it fires or where its page is; nothing that changes with the clock. */
export const changelings = observed.deploy();
