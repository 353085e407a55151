import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { forwardingOf } from "../../../../components/web/forwarding/from-program.ts";
import { forwardingCheck } from "../../../../components/web/inspect/forwarding-check.ts";

it("doctor says why a forwarding server was never started, not that its files are invalid", async () => {
  const home = mkdtempSync(join(tmpdir(), "never-started-"));
  const other = createServer().listen(0, "127.0.0.1");
  try {
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const stack = { paths: installationPaths("abc", home), installation: "abc" };
    const settings = { forwarding: forwardingOf({ port }) };
    expect(await forwardingCheck(stack, settings)).toMatchObject({
      status: "failed",
      detail: `not started, because another program has its port ${port}`,
      remedy: "end that program, or set another port in [forwarding] of the fleet file; then: pulumi up",
    });
    other.close();
    await once(other, "close");
    const expected = { status: "failed", detail: "not started yet", remedy: "pulumi up" };
    expect(await forwardingCheck(stack, settings)).toMatchObject(expected);
    expect(await forwardingCheck(stack, undefined)).toMatchObject(expected);
  } finally {
    other.close();
    rmSync(home, { recursive: true });
  }
});
