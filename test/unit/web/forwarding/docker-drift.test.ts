import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { installationPaths } from "../../../../components/host/installation-paths.ts";
import { readContainer, writeContainer } from "../../../../components/web/forwarding/docker/installed-container.ts";
import {
  containerDrift,
  type FoundContainer,
  observeContainer,
} from "../../../../components/web/forwarding/docker/observe-container.ts";
import { forwardingCheck } from "../../../../components/web/inspect/forwarding-check.ts";
import { installationOf } from "../../../../scripts/stack/stack.ts";
import { FakeDocker } from "../../../support/fake-docker.ts";
import { plannedChanges } from "../../../support/planned-changes.ts";

const docker = new FakeDocker();

describe("drift", () => {
  const known = { name: "changelings-forwarding-abc", id: "one", image: "image:1" };
  const found: FoundContainer = {
    ...{ id: "one", image: "image:1", running: true, restarting: false, exitCode: 0 },
  };
  const drift = (container: Partial<FoundContainer> | undefined, hasImage = true) =>
    containerDrift(docker.folder, { container: container && { ...found, ...container }, hasImage });

  it("is not reported if nothing was created, or nothing changed", () => {
    expect(drift(undefined)).toBe(undefined);
    writeContainer(docker.folder, known);
    expect(drift({})).toBe(undefined);
  });

  it.each([
    ["its container is gone", undefined],
    ["its container does not run (exit status 137)", { running: false, exitCode: 137 }],
    ["its container crashes repeatedly (exit status 1)", { running: false, restarting: true, exitCode: 1 }],
    ["its container is not the one that pulumi up created", { id: "two" }],
    ["its container has another image", { id: "two", image: "image:0" }],
  ])("%s", (words, container) => {
    writeContainer(docker.folder, known);
    expect(drift(container)).toBe(words);
  });

  it("is reported for a missing image, and for an unknown container", () => {
    expect(drift({})).toBe("its container is not the one that pulumi up created");
    writeContainer(docker.folder, known);
    expect(drift({}, false)).toBe("its image is gone");
  });

  it("is detected with two queries", () => {
    const state = { Running: true, Restarting: true, ExitCode: 1 };
    const answer = JSON.stringify({ Id: "one", Config: { Image: "image:1" }, State: state });
    docker.is(`[ "$1" = container ] && echo '${answer}' || { echo "Error: No such image: $5" >&2; exit 1; }`);
    expect(observeContainer("abc")).toEqual({
      container: { id: "one", image: "image:1", running: false, restarting: true, exitCode: 1 },
      hasImage: false,
    });
    expect(docker.calls()).toEqual([
      "container inspect --format {{json .}} changelings-forwarding-abc",
      "image inspect --format {{json .}} image:1",
    ]);
  });

  it("is unknown if Docker does not answer", () => {
    docker.is('echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2; exit 1');
    expect(() => observeContainer("abc")).toThrow("Docker does not answer: Cannot connect to the Docker daemon");
    vi.stubEnv("PATH", join(docker.folder, "nothing"));
    expect(() => observeContainer("abc")).toThrow("docker is not on the PATH; install Docker");
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

  it("plan shows the server once, not its resources in Docker", () => {
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

  it("doctor reports the container's state and the remedy", async () => {
    const paths = installationPaths("abc", docker.folder);
    const id = installationOf({ name: "dev", backend: "file:///nowhere" });
    const context = { paths, installation: id };
    const of = (state: object) => JSON.stringify({ Id: "one", Config: { Image: "image:1" }, State: state });
    const state = join(docker.folder, "state");
    const status = JSON.stringify({ port: 8420, url: "http://localhost:8420", pid: 1 });
    docker.is(`case $1 in container) cat '${state}';; exec) echo '${status}';; esac; [ "$1" != image ] || echo '{}'`);
    writeContainer(paths.forwarding, { name: `changelings-forwarding-${id}`, id: "one", image: "image:1" });
    writeFileSync(state, of({ Running: true, Restarting: false, ExitCode: 0 }));
    expect(await forwardingCheck(context, undefined)).toMatchObject({
      ...{ status: "ok", name: "forwarding server" },
      detail: `running at http://localhost:8420 (container changelings-forwarding-${id})`,
    });
    writeFileSync(state, of({ Running: false, Restarting: false, ExitCode: 137 }));
    expect(await forwardingCheck(context, undefined)).toMatchObject({
      ...{ status: "failed", remedy: "repair it with: pulumi up" },
      detail: "its container does not run (exit status 137), so no page is reachable",
    });
  });
});

it("an invalid container file counts as no container", () => {
  for (const text of ["", "[]", '{"name": "x"}']) {
    writeFileSync(join(docker.folder, "container.json"), text);
    expect(readContainer(docker.folder)).toBe(undefined);
  }
});
