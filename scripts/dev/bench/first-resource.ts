/** Runs the Pulumi program against a monitor that ends the process at the first resource. */
import * as pulumi from "@pulumi/pulumi";

pulumi.runtime.setAllConfig({
  "changelings:config": process.env["BENCH_FLEET"] ?? "",
  "changelings:repo": process.env["BENCH_REPO"] ?? "",
  "changelings:timezone": "Europe/Berlin",
});

function newResource(): never {
  // The SDK's own exit handler would report the resources still in progress.
  process.removeAllListeners("exit");
  process.exit(0);
}

await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "changelings", "bench", true);
await import("../../../index.ts");
