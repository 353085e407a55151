/**
 * Runs index.ts for Pulumi's language host, in place of the SDK's own `@pulumi/pulumi/cmd/run` (the host starts what
 * PULUMI_LANGUAGE_NODEJS_RUN_PATH names). It is the same program without parts that this project does not use, which
 * are half of what the SDK loads, and with a faster protobuf `Struct`. Without the variable, as under plain `pulumi`,
 * everything works and is slower.
 */

import { inSdk, leaveOutUnusedParts } from "./lean-program.ts";
import { usePlainStructs } from "./plugins/plain-structs.ts";

// Pulumi.yaml sets it too, but a language host that is older than its engine does not receive that. It would load
// ts-node, which searches the whole project for TypeScript files.
delete process.env["PULUMI_NODEJS_TYPESCRIPT"];

if (!process.env["CHANGELINGS_DEBUG"]) {
  leaveOutUnusedParts({ tracing: process.argv.includes("--tracing") || process.env["TRACEPARENT"] !== undefined });
  usePlainStructs(inSdk("google-protobuf/google/protobuf/struct_pb"));
  // The SDK's own `require` calls would only be slower with it.
  inSdk("@pulumi/pulumi");
  await import("../../components/lib/quick-imports.ts");
}
inSdk("./cmd/run");
