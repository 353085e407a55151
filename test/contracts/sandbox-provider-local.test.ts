import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";
import { describeProvider } from "./sandbox-provider.ts";

for (const isolation of ["sandbox", "none"] as const) {
  describeProvider(`local with isolation ${isolation}`, async () => {
    const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
    const open = () => localProvider({ sandboxes, isolation });
    return {
      provider: open(),
      spec: sandboxSpec({ isolation }),
      reopened: open,
      end: async () => rmSync(sandboxes, { recursive: true, force: true }),
    };
  });
}
