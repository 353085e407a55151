import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import { testRepository } from "./sandbox-repository.ts";

const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
afterAll(() => rmSync(sandboxes, { recursive: true, force: true }));

testRepository({
  open: async (port) => ({
    provider: localProvider({ sandboxes }),
    spec: { provider: "local", allowDomains: [`127.0.0.1:${port}`] },
  }),
});
