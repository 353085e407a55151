import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { fenced, findFence } from "../../../../components/seed-agent/program/hot-reload/fence.ts";
import { bubblewrap } from "../../../support/seed-agent/fences.ts";

const folder = mkdtempSync(join(tmpdir(), "fence-"));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const real = (await bubblewrap())?.bubblewrap;

describe.skipIf(real === undefined)("the fence in a container, whose /proc/sys is read-only", () => {
  test("is still bubblewrap", async () => {
    const refusal = "bwrap: cannot open /proc/sys/user/max_user_namespaces: Read-only file system";
    const script = [
      "#!/bin/sh",
      `for word in "$@"; do [ "$word" != --disable-userns ] || { echo "${refusal}" >&2; exit 1; }; done`,
      `exec '${real}' "$@"`,
    ];
    writeFileSync(join(folder, "bwrap"), script.join("\n"), { mode: 0o755 });
    vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
    const fence = await findFence("auto");
    expect(fence).toMatchObject({ name: "bubblewrap", allowsNamespaces: true });
    expect(fenced(fence, { heapMb: 64 }).args).not.toContain("--disable-userns");
  });

  test("forbids further namespaces everywhere else", async () => {
    const fence = await findFence("auto");
    expect(fence.allowsNamespaces).toBeUndefined();
    expect(fenced(fence, { heapMb: 64 }).args).toContain("--disable-userns");
  });
});
