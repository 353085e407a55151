import { describe, expect, test } from "vitest";
import { argumentFile, confine } from "../../../../components/sandbox/local/confinement.ts";
import { reasonFor } from "../../../../components/sandbox/local/isolation-check.ts";
import { partsOf } from "../../../../components/sandbox/local/tools.ts";
import { pathsWithoutIsolation } from "../../../../components/sandbox/local/unconfined.ts";

describe("a confinement", () => {
  const args = confine({
    ...{
      files: "/s/files",
      image: "/i",
      volumes: { "/root/v": "/v" },
      parts: { mcp: "/m" },
      mounts: { "/opt/tools/mcp/more": "/m2" },
      node: "/n",
      hostname: "h",
    },
    ...{ hasNetwork: false, env: { A: "b c" }, cwd: "/workspace" },
  });
  const sourcesOf = (option: string) => args.flatMap((arg, index) => (arg === option ? [args[index + 1]] : []));

  test("can write in the sandbox's own folders and its volumes alone", () => {
    expect(sourcesOf("--bind")).toEqual(["/s/files/workspace", "/s/files/root", "/s/files/tmp", "/v"]);
  });

  test("reads the system, the image and the tools, and no keys", () => {
    const read = [...sourcesOf("--ro-bind"), ...sourcesOf("--ro-bind-try")].map(String);
    for (const path of read) expect(path).toMatch(/^\/(usr|bin|sbin|lib\w*|i|m|m2|n|etc)(\/|$)/);
    for (const path of ["/etc", "/etc/ssl", "/etc/pki", "/etc/passwd", "/etc/hosts", "/etc/resolv.conf"]) {
      expect(read).not.toContain(path);
    }
  });

  test("has namespaces of its own, no capability, and no network unless it is given one", () => {
    for (const name of ["user", "pid", "ipc", "uts", "net"]) expect(args).toContain(`--unshare-${name}`);
    for (const option of ["--disable-userns", "--clearenv", "--die-with-parent", "--new-session"]) {
      expect(args).toContain(option);
    }
    expect(sourcesOf("--cap-drop")).toEqual(["ALL"]);
    expect(args).not.toContain("--cap-add");
    expect(args.indexOf("--remount-ro")).toBeGreaterThan(args.lastIndexOf("--bind"));
  });
});

test("a NUL byte in a variable can't add arguments", () => {
  expect(argumentFile(["--setenv", "A", "b"])).toBe("--setenv\0A\0b\0");
  expect(() => argumentFile(["--setenv", "A", "b\0--bind\0/\0/host"])).toThrow("NUL byte");
});

test.each([
  ["bwrap: No permissions to create new namespace, likely because the kernel does not allow it", /kernel.unprivileged/],
  ["bwrap: setting up uid map: Permission denied", /apparmor_restrict_unprivileged_userns=0/],
  ["bwrap: Can't mount proc on /newroot/proc: Operation not permitted", /systempaths=unconfined/],
  ["bwrap: Unknown option --disable-userns", /install version 0.8 or later/],
])("an error has its remedy and the opt-in: %s", (stderr, remedy) => {
  expect(reasonFor(stderr)).toMatch(remedy);
  expect(reasonFor(stderr)).toContain(stderr);
  expect(reasonFor(stderr)).toContain('or set isolation = "none" for the changeling');
});

test("without isolation, the sandbox's paths are replaced by the real ones, and no others", () => {
  const real = pathsWithoutIsolation("/s/files", "/i");
  for (const [text, expected] of [
    ["/", "/s/files"],
    ["/workspace", "/s/files/workspace"],
    ["/workspace/repo", "/s/files/workspace/repo"],
    ["cd /workspace/a && cat '/root/a' >/tmp/b", "cd /s/files/workspace/a && cat '/s/files/root/a' >/s/files/tmp/b"],
    ["--file=/app/AGENTS.md", "--file=/i/app/AGENTS.md"],
    ["/workspaces", "/workspaces"],
    ["/var/tmp/x", "/var/tmp/x"],
    ["/home/me/workspace/x", "/home/me/workspace/x"],
    ["https://example.com/app/x", "https://example.com/app/x"],
    ["../root", "../root"],
    ["~/tmp", "~/tmp"],
  ] as const) {
    expect(real(text), text).toBe(expected);
  }
});

test("the stub needs no npm packages", () => {
  expect(partsOf("stub")).toEqual([]);
  expect(partsOf("claude")).toEqual(["mcp", "claude"]);
  expect(partsOf("/my/runtime.ts")).toEqual(["mcp"]);
});
