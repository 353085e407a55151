/** The fleet: one file in, one component per changeling out. */
import * as pulumi from "@pulumi/pulumi";
import { kinds } from "./components/kinds.ts";
import { turnOffSdkDebugging } from "./components/stack/lean-sdk.ts";
import { openStack } from "./components/stack/open.ts";

if (!process.env["CHANGELINGS_DEBUG"]) turnOffSdkDebugging();

// Settings, fleet file, secrets: every error at once, before any change.
const stack = await openStack(new pulumi.Config(), kinds);
// Observe the live state once, per kind and provider.
const observed = await stack.observe();

/** Per changeling: what it is, and when it fires or where its page is. Nothing here depends on the clock. */
export const changelings = observed.deploy();
