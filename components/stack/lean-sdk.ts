import * as pulumi from "@pulumi/pulumi";

/**
 * Turns off what Pulumi's SDK does only for debugging, which takes a third of the time of a preview of 300 changelings.
 * The SDK works without these parts. If a later SDK renames one, that part is only slow again.
 */
export function turnOffSdkDebugging(): void {
  // The SDK captures a stack trace for each promise and resource. Our errors need none.
  Object.assign(Error, { stackTraceLimit: 0, prepareStackTrace: undefined });
  // It records where in the program each resource was created, from a stack trace that ignores the limit. All of ours
  // are created in one loop.
  Object.assign(pulumi.Resource, { callsites: () => [] });
  // It sends the engine about four debug messages per resource, each a request that the engine discards.
  Object.assign(pulumi.log, { debug: () => Promise.resolve() });
}
