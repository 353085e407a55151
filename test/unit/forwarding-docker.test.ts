import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { installationPaths } from "../../components/installation-paths.ts";
import { adminRequest, handOver, NotRunning } from "../../components/web/forwarding/admin-client.ts";
import { containerArgs } from "../../components/web/forwarding/docker/container-args.ts";
import { containerDrift } from "../../components/web/forwarding/docker/container-drift.ts";
import { foreignDocker } from "../../components/web/forwarding/docker/foreign.ts";
import { imageName } from "../../components/web/forwarding/docker/image.ts";
import { readContainer, writeContainer } from "../../components/web/forwarding/docker/installed-container.ts";
import { type FoundContainer, lookAtContainer } from "../../components/web/forwarding/docker/look.ts";
import { type Surroundings, surroundingsHere } from "../../components/web/forwarding/docker/surroundings.ts";
import type { ForwardingEnvironment } from "../../components/web/forwarding/forwarding-environment.ts";
import { type AdminParts, startAdmin } from "../../components/web/forwarding/program/admin.ts";
import { forwardingCheck } from "../../scripts/changeling/doctor-forwarding.ts";
import { plannedChanges } from "../../scripts/changeling/plan-summary.ts";
import { installationOf } from "../../scripts/stack.ts";
import { ada, bob, openSite } from "../support/forwarding-site.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "forwarding-docker-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Puts a `docker` on PATH that is this shell script. What it was called with is in `calls`. */
function fakeDocker(script: string): void {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const text = ["#!/bin/sh", `printf '%s\\n' "$*" >>'${join(folder, "calls")}'`, script, ""].join("\n");
  writeFileSync(join(bin, "docker"), text, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`);
}

const calls = () => readFileSync(join(folder, "calls"), "utf8").trimEnd().split("\n");

const environment: ForwardingEnvironment = {
  ...{ INSTALLATION: "abc", HOST: "127.0.0.1", PORT: "8420", PUBLIC_URL: undefined },
  ...{ PROVIDER: "docker", ROUTING: "host", CODE_TTL_SECONDS: "900", COOKIE_TTL_SECONDS: "3600" },
};

const surroundings: Surroundings = {
  ...{ person: "ada", uid: 1000, gid: 1001, home: "/home/ada" },
  hostDirs: ["/home/ada/.mngr", "/home/ada/.mngr-work"],
  tmuxFolder: "/tmp",
  modalFiles: ["/home/ada/.modal.toml"],
  ...{ dockerSocket: "/var/run/docker.sock", socketGid: 999 },
  settings: { MNGR_PREFIX: "m-" },
};

describe("the container", () => {
  it("stands for a process of the person's own on this machine", () => {
    expect(containerArgs("image:1", environment, surroundings)).toEqual({
      name: "changelings-forwarding-abc",
      image: "image:1",
      restart: "unless-stopped",
      networkMode: "host",
      pidMode: "host",
      user: "1000:1001",
      groupAdds: ["999"],
      envs: [
        ...["CODE_TTL_SECONDS=900", "COOKIE_TTL_SECONDS=3600", "HOME=/home/ada", "HOST=127.0.0.1", "INSTALLATION=abc"],
        ...["MNGR_PREFIX=m-", "PORT=8420", "PROVIDER=docker", "ROUTING=host"],
      ],
      mounts: [
        { type: "volume", source: "changelings_abc_forwarding", target: "/var/lib/changelings", readOnly: false },
        ...(
          [
            ["/home/ada/.changelings", true],
            ["/home/ada/.mngr", false],
            ["/home/ada/.mngr-work", false],
            ["/tmp", false],
            ["/home/ada/.modal.toml", true],
            ["/var/run/docker.sock", false],
          ] as const
        ).map(([path, readOnly]) => ({ type: "bind", source: path, target: path, readOnly })),
      ],
      logDriver: "local",
      destroyGraceSeconds: 10,
    });
  });

  it.each([
    ["root, who may all", { uid: 0 }],
    ["somebody whose group the socket has", { gid: 999 }],
    ["nobody, where there is no socket yet", { socketGid: undefined }],
  ])("needs no further group for %s", (_, more) => {
    expect(containerArgs("image:1", environment, { ...surroundings, ...more })).not.toHaveProperty("groupAdds");
  });

  it("sees what is there of the person's: mngr's host dirs, Modal's file, the sockets", () => {
    for (const path of [".mngr/profiles", ".mngr-work", ".mngrx"]) mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, ".mngr-notes"), "");
    const at = (path: string) => join(folder, path);
    const env = { HOME: folder, TMUX_TMPDIR: "/run/tmux", MNGR_PREFIX: "m-", MNGR__X__TOKEN: "t", SECRET: "s" };
    const found = surroundingsHere({ ...env, DOCKER_HOST: `unix://${at("docker.sock")}` });
    expect(found).toMatchObject({ home: folder, uid: process.getuid?.(), tmuxFolder: "/run/tmux", modalFiles: [] });
    expect(found.hostDirs).toEqual([at(".mngr"), at(".mngr-work")]);
    expect([found.dockerSocket, found.socketGid]).toEqual([at("docker.sock"), undefined]);
    expect(found.settings).toEqual({
      ...{ TMUX_TMPDIR: "/run/tmux", MNGR_PREFIX: "m-", DOCKER_HOST: `unix://${at("docker.sock")}` },
    });
    writeFileSync(at(".modal.toml"), "");
    expect(surroundingsHere({ HOME: folder }).modalFiles).toEqual([at(".modal.toml")]);
    expect(surroundingsHere({ HOME: folder }).dockerSocket).toBe("/var/run/docker.sock");
  });

  it("can't be another machine's", () => {
    expect(() => surroundingsHere({ HOME: folder, DOCKER_HOST: "tcp://10.0.0.2:2375" })).toThrow(
      'DOCKER_HOST is tcp://10.0.0.2:2375, and the forwarding server has to run on this machine; unset it, or write provider = "local" in [forwarding]',
    );
    expect(foreignDocker('Debian GNU/Linux 12 ["name=seccomp,profile=default"]', "linux")).toBe(undefined);
    expect(foreignDocker('Debian GNU/Linux 12 ["name=seccomp","name=rootless"]', "linux")).toBe("rootless Docker");
    expect(foreignDocker("Docker Desktop []", "linux")).toBe("Docker Desktop");
    expect(foreignDocker("Alpine []", "darwin")).toBe("Docker Desktop");
  });
});

describe("the image", () => {
  const builtWith = { person: "ada", uid: 1000, gid: 1000, home: "/home/ada", buildArgs: ["A=b"] };

  it("is named by all that is in it", () => {
    const name = imageName("abc", builtWith);
    expect(name).toMatch(/^changelings-forwarding:abc-[0-9a-f]{16}$/);
    expect(imageName("abc", { ...builtWith })).toBe(name);
    const others = [{ buildArgs: ["A=c"] }, { uid: 1001 }, { home: "/home/bob" }];
    const names = others.map((other) => imageName("abc", { ...builtWith, ...other }));
    expect(new Set([name, ...names]).size).toBe(4);
  });
});

describe("drift", () => {
  const known = { name: "changelings-forwarding-abc", id: "one", image: "image:1" };
  const found: FoundContainer = {
    ...{ id: "one", image: "image:1", running: true, restarting: false, exitCode: 0 },
  };
  const drift = (container: Partial<FoundContainer> | undefined, hasImage = true) =>
    containerDrift(folder, { container: container && { ...found, ...container }, hasImage });

  it("is none where nothing was made, and where all is as it was left", () => {
    expect(drift(undefined)).toBe(undefined);
    writeContainer(folder, known);
    expect(drift({})).toBe(undefined);
  });

  it.each([
    ["its container is gone", undefined],
    ["its container does not run (exit status 137)", { running: false, exitCode: 137 }],
    ["its container crashes over and over (exit status 1)", { running: false, restarting: true, exitCode: 1 }],
    ["its container is not the one that pulumi up made", { id: "two" }],
    ["its container is of another image", { id: "two", image: "image:0" }],
  ])("%s", (words, container) => {
    writeContainer(folder, known);
    expect(drift(container)).toBe(words);
  });

  it("is told of an image that is gone, and of a container of which nothing is known", () => {
    expect(drift({})).toBe("its container is not the one that pulumi up made");
    writeContainer(folder, known);
    expect(drift({}, false)).toBe("its image is gone");
  });

  it("is looked for with two questions", () => {
    const state = { Running: true, Restarting: true, ExitCode: 1 };
    const answer = JSON.stringify({ Id: "one", Config: { Image: "image:1" }, State: state });
    fakeDocker(`[ "$1" = container ] && echo '${answer}' || { echo "Error: No such image: $5" >&2; exit 1; }`);
    expect(lookAtContainer("abc")).toEqual({
      container: { id: "one", image: "image:1", running: false, restarting: true, exitCode: 1 },
      hasImage: false,
    });
    expect(calls()).toEqual([
      "container inspect --format {{json .}} changelings-forwarding-abc",
      "image inspect --format {{json .}} image:1",
    ]);
  });

  it("is not known where Docker does not answer", () => {
    fakeDocker('echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1');
    expect(() => lookAtContainer("abc")).toThrow("Docker does not answer: Cannot connect to the Docker daemon");
    vi.stubEnv("PATH", join(folder, "nothing"));
    expect(() => lookAtContainer("abc")).toThrow("docker is not on the PATH; install Docker");
  });
});

describe("asking the server in a container", () => {
  const relay = join(import.meta.dirname, "../../components/web/forwarding/docker/relay.ts");

  /** As `docker exec --interactive NAME node RELAY FOLDER`, with the relay that is here. */
  const relayTo = (state: string) =>
    fakeDocker(
      `[ "$1 $2 $3" = "exec --interactive forwarding" ] || exit 9; exec '${process.execPath}' '${relay}' '${state}' $7`,
    );

  it("goes through docker exec, and nothing of it is in an argument list", async () => {
    await using site = await openSite();
    using _admin = await openAdmin(site);
    writeContainer(folder, { name: "forwarding", id: "one", image: "image:1" });
    relayTo(site.folder);
    expect(await adminRequest(folder, { op: "agents" })).toEqual([ada, bob]);
    const made = await adminRequest(folder, { op: "mint", agent: ada.id });
    expect(made).toMatchObject({ url: expect.stringContaining(`agent_id=${ada.id}&one_time_code=`) });
    expect(await handOver(folder, { op: "refresh" })).toBe(true);
    const exec = "exec --interactive forwarding node /opt/changelings/relay.mjs /var/lib/changelings";
    expect(calls()).toEqual([exec, exec, `${exec} hand-over`]);
    await expect.poll(() => site.agents.refreshed).toBe(1);
  });

  it("says that it does not run: the server in it, or the container", async () => {
    writeContainer(folder, { name: "forwarding", id: "one", image: "image:1" });
    relayTo(join(folder, "nothing"));
    await expect(adminRequest(folder, { op: "status" })).rejects.toThrow(NotRunning);
    expect(await handOver(folder, { op: "refresh" })).toBe(false);
    rmSync(join(folder, "bin"), { recursive: true });
    fakeDocker('echo "Error response from daemon: Container 1a2b is not running" >&2; exit 1');
    await expect(adminRequest(folder, { op: "status" })).rejects.toThrow(NotRunning);
  });

  it("hands on what Docker says is wrong", async () => {
    writeContainer(folder, { name: "forwarding", id: "one", image: "image:1" });
    fakeDocker('echo "OCI runtime exec failed" >&2; exit 126');
    await expect(adminRequest(folder, { op: "status" })).rejects.toThrow("docker exec failed: OCI runtime exec failed");
  });
});

describe("changeling", () => {
  const urn = (type: string, name: string) =>
    `urn:pulumi:dev::changelings::changelings:web:ForwardingServer$${type}::${name}`;
  const step = (name: string, before: object, after: object, type = "command:local:Command") => ({
    ...{ op: "update", urn: urn(type, name) },
    oldState: { inputs: { environment: before } },
    newState: { inputs: { environment: after } },
  });

  it("plan tells of the server once, not of the parts that it has in Docker", () => {
    const [before, after] = [
      { IMAGE: "image:1", CONTAINER: "one" },
      { IMAGE: "image:2", CONTAINER: "two" },
    ];
    const steps = [
      step("forwarding-image", { IMAGE: "image:1" }, { IMAGE: "image:2" }),
      step("forwarding-container", {}, {}, "docker:index/container:Container"),
      step("forwarding", before, after),
    ];
    expect(plannedChanges({ steps })).toMatchObject([
      {
        ...{ name: "forwarding", part: "forwarding", action: "change" },
        fields: [{ field: "image", before: "image:1", after: "image:2" }],
      },
    ]);
  });

  it("doctor says how the container is, and what to do", async () => {
    const paths = installationPaths("abc", folder);
    const context = { paths, stack: { name: "dev", backend: "file:///nowhere" }, json: false, provider: undefined };
    const id = installationOf(context.stack);
    const of = (state: object) => JSON.stringify({ Id: "one", Config: { Image: "image:1" }, State: state });
    const state = join(folder, "state");
    const status = JSON.stringify({ port: 8420, url: "http://localhost:8420", pid: 1 });
    fakeDocker(`case $1 in container) cat '${state}';; exec) echo '${status}';; esac; [ "$1" != image ] || echo '{}'`);
    writeContainer(paths.forwarding, { name: `changelings-forwarding-${id}`, id: "one", image: "image:1" });
    writeFileSync(state, of({ Running: true, Restarting: false, ExitCode: 0 }));
    expect(await forwardingCheck(context, undefined)).toMatchObject({
      ...{ status: "ok", name: "forwarding server" },
      detail: `running at http://localhost:8420 (container changelings-forwarding-${id})`,
    });
    writeFileSync(state, of({ Running: false, Restarting: false, ExitCode: 137 }));
    expect(await forwardingCheck(context, undefined)).toMatchObject({
      ...{ status: "failed", remedy: "mend it with: npm run pulumi -- up" },
      detail: "its container does not run (exit status 137), so no page can be reached",
    });
  });
});

it("what stands where the container's file should, and is none, is no container", () => {
  for (const text of ["", "[]", '{"name": "x"}']) {
    writeFileSync(join(folder, "container.json"), text);
    expect(readContainer(folder)).toBe(undefined);
  }
});

async function openAdmin({ folder, server, agents }: Omit<AdminParts, "log">) {
  const admin = await startAdmin({ folder, server, agents, log: () => {} });
  return { [Symbol.dispose]: () => admin.close() };
}
