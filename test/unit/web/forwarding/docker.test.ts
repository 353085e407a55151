import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { containerArgs } from "../../../../components/web/forwarding/docker/container-args.ts";
import { imageName } from "../../../../components/web/forwarding/docker/image.ts";
import {
  foreignDocker,
  type MachineContext,
  machineContext,
} from "../../../../components/web/forwarding/docker/machine-context.ts";
import type { ForwardingEnvironment } from "../../../../components/web/forwarding/forwarding-environment.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "forwarding-docker-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const environment: ForwardingEnvironment = {
  ...{ INSTALLATION: "abc", HOST: "127.0.0.1", PORT: "8420", PUBLIC_URL: undefined },
  ...{ PROVIDER: "docker", ROUTING: "host", CODE_TTL_SECONDS: "900", COOKIE_TTL_SECONDS: "3600" },
  RESPONSE_TIMEOUT_SECONDS: "0",
};

const settings: MachineContext = {
  ...{ person: "ada", uid: 1000, gid: 1001, home: "/home/ada" },
  hostDirs: ["/home/ada/.mngr", "/home/ada/.mngr-work"],
  tmuxFolder: "/tmp",
  modalFiles: ["/home/ada/.modal.toml"],
  ...{ dockerSocket: "/var/run/docker.sock", socketGid: 999 },
  settings: { MNGR_PREFIX: "m-" },
};

describe("the container", () => {
  it("works like one of the user's own processes", () => {
    expect(containerArgs("image:1", environment, settings)).toEqual({
      name: "changelings-forwarding-abc",
      image: "image:1",
      restart: "unless-stopped",
      networkMode: "host",
      pidMode: "host",
      user: "1000:1001",
      groupAdds: ["999"],
      envs: [
        ...["CODE_TTL_SECONDS=900", "COOKIE_TTL_SECONDS=3600", "HOME=/home/ada", "HOST=127.0.0.1", "INSTALLATION=abc"],
        ...["MNGR_PREFIX=m-", "PORT=8420", "PROVIDER=docker", "RESPONSE_TIMEOUT_SECONDS=0", "ROUTING=host"],
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
  ])("needs no additional group for %s", (_, more) => {
    expect(containerArgs("image:1", environment, { ...settings, ...more })).not.toHaveProperty("groupAdds");
  });

  it("gets the user's files: mngr's host dirs, Modal's file, the sockets", () => {
    for (const path of [".mngr/profiles", ".mngr-work", ".mngrx"]) mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, ".mngr-notes"), "");
    const at = (path: string) => join(folder, path);
    const env = { HOME: folder, TMUX_TMPDIR: "/run/tmux", MNGR_PREFIX: "m-", MNGR__X__TOKEN: "t", SECRET: "s" };
    const found = machineContext({ ...env, DOCKER_HOST: `unix://${at("docker.sock")}` });
    expect(found).toMatchObject({ home: folder, uid: process.getuid?.(), tmuxFolder: "/run/tmux", modalFiles: [] });
    expect(found.hostDirs).toEqual([at(".mngr"), at(".mngr-work")]);
    expect([found.dockerSocket, found.socketGid]).toEqual([at("docker.sock"), undefined]);
    expect(found.settings).toEqual({
      ...{ TMUX_TMPDIR: "/run/tmux", MNGR_PREFIX: "m-", DOCKER_HOST: `unix://${at("docker.sock")}` },
    });
    writeFileSync(at(".modal.toml"), "");
    expect(machineContext({ HOME: folder }).modalFiles).toEqual([at(".modal.toml")]);
    expect(machineContext({ HOME: folder }).dockerSocket).toBe("/var/run/docker.sock");
  });

  it("can't run on another machine", () => {
    expect(() => machineContext({ HOME: folder, DOCKER_HOST: "tcp://10.0.0.2:2375" })).toThrow(
      'DOCKER_HOST is tcp://10.0.0.2:2375, but the forwarding server must run on this machine; unset it, or write provider = "local" in [forwarding]',
    );
    expect(foreignDocker('Debian GNU/Linux 12 ["name=seccomp,profile=default"]', "linux")).toBe(undefined);
    expect(foreignDocker('Debian GNU/Linux 12 ["name=seccomp","name=rootless"]', "linux")).toBe("rootless Docker");
    expect(foreignDocker("Docker Desktop []", "linux")).toBe("Docker Desktop");
    expect(foreignDocker("Alpine []", "darwin")).toBe("Docker Desktop");
  });
});

describe("the image", () => {
  const builtWith = { person: "ada", uid: 1000, gid: 1000, home: "/home/ada", buildArgs: ["A=b"] };

  it("is named after all its contents", () => {
    const name = imageName("abc", builtWith);
    expect(name).toMatch(/^changelings-forwarding:abc-[0-9a-f]{16}$/);
    expect(imageName("abc", { ...builtWith })).toBe(name);
    const others = [{ buildArgs: ["A=c"] }, { uid: 1001 }, { home: "/home/bob" }];
    const names = others.map((other) => imageName("abc", { ...builtWith, ...other }));
    expect(new Set([name, ...names]).size).toBe(4);
  });
});
