import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ensureImage } from "../../../../components/seed-agent/docker/image.ts";
import { FakeDocker } from "../../../support/fake-docker.ts";
import { seedSpec } from "../../../support/seed-spec.ts";

const docker = new FakeDocker();

test("shows the build as it goes, without the text of long commands", async () => {
  docker.is(`case $1 in build)
    printf 'Step 1/2 : RUN echo %01000d\\n' 0
    printf 'Step 2/2' >&2; exit 0
  esac`);
  const printed: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  const main = join(import.meta.dirname, "../../../support/stand-in-service.ts");
  await ensureImage({ installation: "lab", name: "sprout" }, seedSpec({ provider: "docker" }), {
    ...{ env: process.env, folder: docker.folder, main },
  });
  const [first = "", ...others] = printed.join("").trimEnd().split("\n");
  expect(first).toMatch(/^Step 1\/2 : RUN echo 0+ …$/);
  expect(first.length).toBeLessThan(400);
  expect(others).toEqual(["Step 2/2"]);
});
