import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { nodeContainer, settingsOf, variablesOf } from "../../../../components/seed-agent/docker/container-args.ts";
import { seccompProfile } from "../../../../components/seed-agent/docker/seccomp.ts";
import { secretArchive } from "../../../../components/seed-agent/docker/secrets.ts";
import { seedSpec } from "../../../support/seed-spec.ts";

const secrets = { RELEASE_COOKIE: "cookie-0123", SEED_CONTROL_TOKEN: "token-0123" };
const options = {
  owner: { installation: "here", name: "sprout" },
  image: "changelings-seed:here-1.0.0-0123456789ab",
  release: "1.0.0",
  secrets,
  seccomp: { path: "/tmp/profile.json", text: "{}" },
};
const container = (more: Partial<typeof options> = {}, spec = seedSpec(), index = 1) =>
  nodeContainer(spec, index, { ...options, ...more });

describe("a node's container", () => {
  test("has a name, a volume, a port and an address of its own, and no more rights than it needs", () => {
    const { args, content } = container({}, seedSpec({ port: 4100 }));
    const variables = Object.entries({ ...variablesOf(seedSpec({ port: 4100 })), SEED_NODE: "sprout-1" });
    expect(args).toEqual([
      ...["--name", "changelings-seed-here-sprout-1", "--hostname", "sprout-1"],
      ...["--network", "changelings-seed-here-sprout", "--network-alias", "nodes.seed-agent.internal"],
      ...["--add-host", "host.docker.internal:host-gateway", "--publish", "127.0.0.1:4101:4000"],
      ...["--restart", "unless-stopped", "--stop-timeout", "30", "--log-driver", "local"],
      ...["--memory", "2g", "--memory-swap", "2g", "--pids-limit", "1024"],
      ...["--read-only", "--tmpfs", "/tmp:rw,nosuid,nodev,size=256m,mode=1777"],
      ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
      ...["--mount", "type=volume,src=changelings-seed-here-sprout-1-data,dst=/data"],
      ...["--mount", "type=volume,src=changelings-seed-here-sprout-secrets,dst=/run/seed-agent,readonly"],
      ...variables
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .flatMap(([name, value]) => ["--env", `${name}=${value}`]),
      ...["--label", "changelings-seed-installation=here", "--label", "changelings-seed-name=sprout"],
      ...["--label", "changelings-seed-node=1", "--label", "changelings-seed-release=1.0.0"],
      ...["--label", `changelings-seed-variables=${JSON.stringify(Object.keys(variablesOf(seedSpec())).sort())}`],
      ...["--security-opt", "seccomp=/tmp/profile.json", "--label", `changelings-seed-content=${content}`],
      ...["--pull", "never", options.image],
    ]);
  });

  test("shows no secret", () => {
    for (const value of Object.values(secrets)) expect(JSON.stringify(container())).not.toContain(value);
  });

  test("is another one for other secrets, another image, another release, and another profile of system calls", () => {
    const contents = [
      container(),
      container({ secrets: { ...secrets, RELEASE_COOKIE: "other" } }),
      container({ image: "other" }),
      container({ release: "1.0.1" }),
      container({ seccomp: { ...options.seccomp, text: "{ }" } }),
      container({}, seedSpec({ mode: "auto" })),
      container({}, seedSpec(), 0),
    ].map(({ content }) => content);
    expect(new Set(contents).size).toBe(contents.length);
    const elsewhere = { ...options.seccomp, path: "/tmp/elsewhere.json" };
    expect(container({ seccomp: elsewhere }).content).toBe(contents[0]);
    const reordered = Object.fromEntries(Object.entries(secrets).reverse()) as typeof secrets;
    expect(container({ secrets: reordered }).content).toBe(contents[0]);
  });

  test("has Docker's own profile of system calls where bubblewrap is not wanted", () => {
    const { args } = container({}, seedSpec({ env: { SEED_FENCE: "permission" } }));
    expect(args.join(" ")).not.toContain("seccomp=");
  });

  test("has settings that name the port of the first node", () => {
    expect(settingsOf(seedSpec({ port: 4100 }))).toMatchObject({ PORT: "4000", "published port": "4100" });
  });
});

describe("the profile of system calls", () => {
  const { syscalls, defaultAction } = JSON.parse(seccompProfile());
  const allowed: string[] = syscalls.flatMap(({ names }: { names: string[] }) => names);

  test("forbids what it does not name, and names nothing twice", () => {
    expect(defaultAction).toBe("SCMP_ACT_ERRNO");
    expect(allowed).toHaveLength(new Set(allowed).size);
    for (const name of allowed) expect(name).toMatch(/^[a-z0-9_]+$/);
  });

  test("allows a fence, and nothing that reaches the kernel's own settings or other processes", () => {
    expect(allowed).toEqual(expect.arrayContaining(["clone", "unshare", "mount", "pivot_root", "umount2"]));
    const dangerous = [
      "bpf",
      "init_module",
      "kexec_load",
      "keyctl",
      "perf_event_open",
      "ptrace",
      "setns",
      "userfaultfd",
    ];
    const more = ["io_uring_setup", "open_by_handle_at", "process_vm_readv", "reboot", "settimeofday", "swapon"];
    for (const name of [...dangerous, ...more]) expect(allowed).not.toContain(name);
  });
});

describe("the archive of secrets", () => {
  test.each(["{}", '{"A":"ü"}', "x".repeat(512), "x".repeat(5000)])("is one that tar reads", (text) => {
    const input = secretArchive("secrets.json", text);
    const listed = execFileSync("tar", ["--numeric-owner", "-tvf", "-"], { input, encoding: "utf8" });
    expect(listed).toMatch(new RegExp(`^-r-------- 10001/10001 +${Buffer.byteLength(text)} .* secrets.json\n$`));
    expect(execFileSync("tar", ["-xOf", "-", "secrets.json"], { input, encoding: "utf8" })).toBe(text);
  });
});
