import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { turnOffSdkDebugging } from "../../../components/stack/lean-sdk.ts";

const own = { limit: Error.stackTraceLimit, prepare: Error.prepareStackTrace, debug: pulumi.log.debug };

class Thing extends pulumi.ComponentResource {
  constructor(name: string) {
    super("test:index:Thing", name);
  }
}

/** Whether the request that registers a resource says where in the program it was created. */
async function sendsPosition(name: string): Promise<boolean> {
  const monitor = pulumi.runtime.getMonitor() as unknown as {
    registerResource(request: { hasSourceposition(): boolean; getName(): string }, answer: unknown): void;
  };
  const register = monitor.registerResource.bind(monitor);
  const sent = new Promise<boolean>((resolve) => {
    monitor.registerResource = (request, answer) => {
      if (request.getName() === name) resolve(request.hasSourceposition());
      register(request, answer);
    };
  });
  new Thing(name);
  return sent;
}

beforeAll(async () => {
  await pulumi.runtime.setMocks({ newResource: ({ name, inputs }) => ({ id: name, state: inputs }), call: () => ({}) });
});

test("resources are registered without stack traces, positions and debug messages", async () => {
  expect(await sendsPosition("before")).toBe(true);
  turnOffSdkDebugging();
  try {
    expect(await sendsPosition("after")).toBe(false);
    expect(new Error("short").stack).toBe("Error: short");
    expect(pulumi.log.debug).not.toBe(own.debug);
    await expect(pulumi.log.debug("never sent")).resolves.toBeUndefined();
  } finally {
    Error.stackTraceLimit = own.limit;
    Error.prepareStackTrace = own.prepare;
  }
});
