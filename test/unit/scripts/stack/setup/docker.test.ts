import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { setUpDocker } from "../../../../../scripts/stack/setup/docker.ts";
import { useMachine } from "../../../../support/setup.ts";

const machine = useMachine();
const at = (path: string): string => join(machine.folder, "root", path);
const calls = (): string[] => readFileSync(join(machine.folder, "calls"), "utf8").trimEnd().split("\n");
const notes = (name: string): string => `echo "${name} $*" >> ${machine.folder}/calls`;

const asUser = (uid: number): void => void vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(uid);
/** A client, and whether a daemon answers it. */
const client = (answers: boolean): string =>
  machine.program("docker", `case "$1" in version) exit ${answers ? 0 : 1} ;; *) echo unix:///its.sock ;; esac`);
const bootstrap = (): string => machine.program("mmdebstrap", notes("mmdebstrap"), 'for last; do :; done; : > "$last"');

beforeEach(() => {
  for (const folder of ["usr/sbin", "run"]) mkdirSync(at(folder), { recursive: true });
});

describe("docker for tests", () => {
  test("is the daemon that answers; their image is made once", async () => {
    machine.program("apt-get", "exit 9");
    const path = client(true);
    bootstrap();
    const found = await setUpDocker(at(""));
    expect(await setUpDocker(at(""))).toEqual(found);
    const [, key = ""] = /^changelings-test-base:([0-9a-f]{16})$/.exec(found.base.image) ?? [];
    const file = join(machine.cache, "docker-base", key, "base.tar");
    expect(found).toEqual({ client: path, host: "unix:///its.sock", base: { file, image: found.base.image } });
    expect(existsSync(file)).toBe(true);
    expect(calls()).toHaveLength(1);
    expect(calls()[0]).toMatch(
      /^mmdebstrap --quiet --variant=essential --include=openssh-server,tmux,.* bookworm \S+$/,
    );
  });

  test("is one to be started where none answers and all is there for it", async () => {
    asUser(0);
    machine.program("apt-get", "exit 9");
    client(false);
    bootstrap();
    for (const name of ["dockerd", "ip", "unshare", "setpriv"]) machine.program(name);
    expect((await setUpDocker(at(""))).host).toBeUndefined();
  });

  test("is installed by root on Debian without starting it", async () => {
    asUser(0);
    bootstrap();
    for (const name of ["ip", "unshare", "setpriv"]) machine.program(name);
    machine.program("apt-cache", "echo 'Candidate: (none)'");
    const policy = at("usr/sbin/policy-rc.d");
    const made = `for name in docker dockerd; do printf '#!/bin/sh\\nexit 1\\n' > ${machine.bin}/$name; chmod 755 ${machine.bin}/$name; done`;
    machine.program("apt-get", notes("apt-get"), `cp ${policy} ${machine.folder}/policy`, made);
    expect((await setUpDocker(at(""))).host).toBeUndefined();
    expect(calls().slice(0, 2)).toEqual([
      "apt-get install -y --no-install-recommends --download-only docker.io",
      "apt-get install -y --no-install-recommends docker.io",
    ]);
    expect(readFileSync(join(machine.folder, "policy"), "utf8")).toBe("#!/bin/sh\nexit 101\n");
    expect(existsSync(policy)).toBe(false);
  });

  test("has its client in a package of its own where the system has one", async () => {
    asUser(0);
    machine.program("apt-cache", "echo 'Candidate: 26.1.5'");
    machine.program("apt-get", "exit 100");
    for (const name of ["unshare", "setpriv"]) machine.program(name);
    machine.program("ip");
    await expect(setUpDocker(at(""))).rejects.toMatchObject({
      remedy: "Install with: apt-get install -y docker.io docker-cli",
    });
  });

  test("is not installed where it would keep running: the error says how", async () => {
    asUser(0);
    machine.program("apt-get", "exit 9");
    for (const name of ["ip", "unshare", "setpriv", "docker"]) machine.program(name, "exit 1");
    mkdirSync(at("run/systemd/system"), { recursive: true });
    await expect(setUpDocker(at(""))).rejects.toMatchObject({
      message: "No docker daemon answers, and to start one dockerd is missing",
      remedy: "Install with: apt-get install -y docker.io",
    });
  });

  test("is not started by a user who is not root: the error says how", async () => {
    asUser(1000);
    client(false);
    machine.program("apt-get", "exit 9");
    await expect(setUpDocker(at(""))).rejects.toMatchObject({
      message: "No docker daemon answers",
      remedy: "Start one, or run this as root: then the tests start their own.",
    });
  });
});
