import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dockerEnvironment, isDockerVariable } from "../../../components/docker/run-docker.ts";
import { noProjectFolder } from "../../../components/mngr/project-folder.ts";
import { containerArguments } from "../../../components/web/docker/machine-arguments.ts";
import { mngrDockerEnvironment } from "../../../components/web/docker/mngr-on-docker.ts";
import { dockerVolumeNames, stateVolumeName } from "../../../components/web/docker/names.ts";

describe("containerArguments", () => {
  const volumes = { "/changeling-data": "d", "/mngr": "s" };
  const made = (...buildArgs: string[]) =>
    containerArguments({ buildArgs, repo: "/tmp/repo", volumes, labels: { changeling: "pages" } }, "/tmp/image");
  const label = "--label=changeling=pages";
  const mounts = ["--volume=d:/changeling-data", "--volume=s:/mngr"];

  it("mounts the volumes, and leaves the image to mngr", () => {
    expect(made()).toEqual({ buildArgs: [], startArgs: [label, ...mounts], dockerfile: undefined });
  });

  it.each([
    [
      ["cpu=2", "memory=4"],
      ["--cpus=2", "--memory=4g"],
    ],
    [["--cpu 0.5 --memory=1.5"], ["--cpus=0.5", "--memory=1.5g"]],
    [["cpu=1", "cpu=2"], ["--cpus=2"]],
  ])("%j sets limits", (given, limits) => {
    expect(made(...given)).toEqual({ buildArgs: [], startArgs: [label, ...mounts, ...limits], dockerfile: undefined });
  });

  it("uses a named image unchanged", () => {
    const dockerfile = "FROM debian:bookworm-slim\n";
    expect(made("image=debian:bookworm-slim")).toMatchObject({ buildArgs: [label, "/tmp/image"], dockerfile });
  });

  it.each([
    [["file=/else/Dockerfile"], ["--file=/else/Dockerfile", "/else"]],
    [["file=images/Dockerfile"], ["--file=/tmp/repo/images/Dockerfile", "/tmp/repo/images"]],
    [
      ["file=images/Dockerfile", "context-dir=."],
      ["--file=/tmp/repo/images/Dockerfile", "/tmp/repo"],
    ],
    [["context-dir=images"], ["/tmp/repo/images"]],
    [
      ["docker-build-arg=A=a b", "docker-build-arg=B="].map((each) => `'${each}'`),
      ["--build-arg=A=a b", "--build-arg=B=", "/tmp/repo"],
    ],
  ])("%j sets how the image is built", (given, build) => {
    expect(made(...given)).toMatchObject({ buildArgs: [label, ...build], dockerfile: undefined });
  });
});

describe("the environment", () => {
  const person = { PATH: "/bin", HOME: "/home/me", SOME_SECRET: "s3cret", DOCKER_CERT_PATH: "" };

  it("contains Docker's address, and nothing else of the user's", () => {
    const env = { ...person, DOCKER_HOST: "tcp://far:2376", DOCKER_CONTEXT: "far", DOCKER_AUTH_CONFIG: "s3cret" };
    const own = { PATH: "/bin", HOME: "/home/me", DOCKER_HOST: "tcp://far:2376", DOCKER_CONTEXT: "far" };
    expect(dockerEnvironment(env)).toEqual(own);
    expect(["DOCKER_HOST", "DOCKER_AUTH_CONFIG", "HOME"].map(isDockerVariable)).toEqual([true, false, false]);
  });

  it("makes mngr use the same daemon, and a separate volume for each agent's environment", () => {
    expect(mngrDockerEnvironment({ ...person, DOCKER_HOST: "tcp://far:2376" }, "/home/me/.mngr-aside")).toEqual({
      ...{ PATH: "/bin", HOME: "/home/me", DOCKER_HOST: "tcp://far:2376" },
      MNGR__PROVIDERS__DOCKER__IS_HOST_VOLUME_CREATED: "false",
      MNGR__PROVIDERS__DOCKER__ISOLATE_HOST_VOLUMES: "false",
      MNGR__PROVIDERS__DOCKER__HOST_DIR: "/mngr",
      MNGR__PROVIDERS__DOCKER__HOST: "tcp://far:2376",
      MNGR_HOST_DIR: "/home/me/.mngr-aside",
      MNGR_PROJECT_CONFIG_DIR: noProjectFolder,
      MNGR_HEADLESS: "1",
    });
  });
});

describe("the names of volumes", () => {
  const installation = fc.stringMatching(/^[0-9a-f]{12}$/);
  const changeling = fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/);

  it("are unique per installation and changeling, and valid in Docker", () => {
    const pairs = fc.uniqueArray(fc.tuple(installation, changeling), {
      selector: (pair) => pair.join(" "),
      minLength: 2,
    });
    fc.assert(
      fc.property(pairs, (all) => {
        const names = all.flatMap(([of, name]) => [
          ...Object.values(dockerVolumeNames(of, name)),
          stateVolumeName(of, `${name}-0123abcd`),
        ]);
        expect(new Set(names).size).toBe(names.length);
        for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/);
      }),
    );
  });
});
