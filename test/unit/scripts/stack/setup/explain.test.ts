import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SetupError } from "../../../../../scripts/stack/setup/progress.mjs";
import { explain } from "../../../../../scripts/stack/setup/run.mjs";

/** The last output of the real programs without a network. */
const offline = [
  "npm error request to https://server.example/x failed, reason: getaddrinfo EAI_AGAIN server.example",
  "npm error request to https://server.example/x failed, reason: connect ECONNREFUSED 127.0.0.1:4873",
  "  Caused by: failed to lookup address information: Temporary failure in name resolution",
  'go: example.com/x@v1: Get "https://server.example/x": dial tcp: lookup server.example: no such host',
  "E: Failed to fetch http://deb.example/x  Temporary failure resolving 'deb.example', Could not resolve 'deb.example'",
];

test.each([...offline.map((line) => [line, true] as const), ["npm error code ENOSPC", false] as const])(
  "of a program that ends with %j, the network is named as the cause: %s",
  (line, isNamed) => {
    const folder = mkdtempSync(join(tmpdir(), "explain-"));
    try {
      const log = join(folder, "log");
      writeFileSync(log, `begins\n${line}\n`);
      const text = explain(new SetupError("it failed", { log, remedy: "Install it." }));
      expect(text.includes("A server can't be reached: check the network")).toBe(isNamed);
      expect(text).toContain(`  | ${line}`);
      expect(text.endsWith("\nInstall it.")).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
