import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import { homeVolumeName } from "../../components/modal/names.ts";
import { modalToken } from "../../components/modal/token.ts";
import { type ModalStack, makeModalStack } from "../engine/modal-stack.ts";
import { Repository } from "../support/repository.ts";

const past = { author: "Me", at: "2026-01-02T00:00:00Z" };
/** Each run reports what it finds: the tip that it starts from, and what the repository's own Dockerfile left. */
const work =
  "cat README.md /from-dockerfile >found.txt 2>/dev/null; git add found.txt && git commit -qm 'Tell what I found'";

describe("how the code gets to an agent on Modal", () => {
  let test: ModalStack;
  let mine: Repository;
  beforeAll(async () => {
    test = await makeModalStack();
    mine = new Repository();
    mine.git("remote", "add", "origin", test.repo);
    mine.git("fetch", "--quiet", test.bare, "main:refs/remotes/origin/main");
    mine.git("reset", "--quiet", "--hard", "origin/main");
    mine.git("branch", "--quiet", "--set-upstream-to=origin/main");
    mine.commit({ Dockerfile: "FROM debian:bookworm-slim\nCOPY README.md /from-dockerfile\n" }, past);
    push();
    test.declareOnModal(
      ...["pinned", "snapshot", "custom"].flatMap((image) => [
        `[changelings.${image}-one]`,
        'agent_type = "command"',
        `agent_args = ["sh", "-c", ${JSON.stringify(work)}]`,
        `image = "${image}"`,
        ...(image === "pinned" ? [`repo = "${mine.folder}"`] : []),
        ...(image === "custom" ? ['build_args = ["cpu=0.5"]'] : []),
      ]),
    );
  });
  afterAll(async () => {
    mine[Symbol.dispose]();
    await test.remove();
  });

  /** Not through the server, which is in this very process and could not answer meanwhile. */
  const push = () => {
    mine.git("push", "--quiet", test.bare, "main");
    mine.git("update-ref", "refs/remotes/origin/main", "main");
  };
  const fire = (name: string) =>
    test.emulator.control.fire(`changeling_dev_${name}`, "fire", { environment: test.environment() });
  /** The image that a changeling's agents were started from. */
  const imageOf = async (name: string) => {
    const { sandboxes } = await test.emulator.control.state();
    return sandboxes.findLast(({ tags }) => tags["mngr_host_name"]?.startsWith(`${name}-`))?.image_id;
  };
  /** What the last run of each found, when all have ended. */
  const found = async () => {
    const names = ["custom-one", "pinned-one", "snapshot-one"];
    const runs = await Promise.all(names.map((name) => test.endedRuns(name)));
    return Object.fromEntries(
      runs.map(([run], index) => [
        names[index],
        [run?.outcome, test.inRepo("show", `refs/heads/${run?.branch}:found.txt`)],
      ]),
    );
  };

  it("makes a tarball of the pinned commit and one snapshot, and starts from them", async () => {
    const named = Object.keys(await test.preview()).map((name) => name.replace(/-[0-9a-f]{6}$/, "-…"));
    expect(named.filter((name) => name.includes("…"))).toEqual([
      "command:local:Command tarball-repo-…",
      "command:local:Command snapshot-app-…",
    ]);
    const { code, stdout } = await test.up();
    expect(code, stdout).toBe(0);
    expect(await test.preview()).toEqual({});
    const { images } = await test.emulator.control.state();
    const calls = await Promise.all(["pinned-one", "snapshot-one", "custom-one"].map(fire));
    expect(calls.map(({ status }) => status)).toEqual(Array(3).fill("GENERIC_STATUS_SUCCESS"));
    // Its first run waits for no build.
    expect(images).toContain(await imageOf("pinned-one"));
    expect(await found()).toEqual({
      "custom-one": ["succeeded", "# app"],
      "pinned-one": ["succeeded", "# app\n# app"],
      "snapshot-one": ["succeeded", "# app"],
    });
  });

  it("refuses to pin what is not pushed, or not committed", async () => {
    mine.commit({ "README.md": "# newer\n" }, past);
    mine.write({ "notes.txt": "mine" });
    const { code, stdout } = await test.pulumi(["preview", "--non-interactive"]);
    expect(code).not.toBe(0);
    expect(stdout).toContain(`main of ${mine.folder} has a commit that origin does not have`);
    expect(stdout).toContain(`${mine.folder} has uncommitted changes`);
  });

  it("makes a snapshot again whose image was deleted", async () => {
    const client = modalClient({ token: modalToken(test.emulator.env), env: { ...test.env, ...test.emulator.env } });
    const [at, environment] = [homeVolumeName("dev"), test.environment()];
    const [{ path = "" } = {}] = await client.files(at, environment, "snapshots");
    const imageId = async () => JSON.parse((await client.readFile(at, environment, path)) ?? "").imageId;
    mine.write({ "notes.txt": null });
    mine.git("reset", "--quiet", "--hard", "origin/main");
    const old = await imageId();
    await client.deleteImage(old);
    expect(Object.keys(await test.preview())).toEqual([
      expect.stringMatching(/^command:local:Command snapshot-app-[0-9a-f]{6}$/),
    ]);
    expect((await test.up()).code).toBe(0);
    expect(await client.hasImage(await imageId())).toBe(true);
    expect(await imageId()).not.toBe(old);
    expect(await test.preview()).toEqual({});
    mine.commit({ "README.md": "# newer\n" }, past);
  });

  it("shows a new commit before and after, and starts from it; a snapshot's run fetches it by itself", async () => {
    const old = mine.git("rev-parse", "origin/main");
    push();
    const { stdout } = await test.pulumi(["preview", "--diff", "--non-interactive", "--color", "never"]);
    expect(stdout).toMatch(new RegExp(`COMMIT\\s*: "${old}" => "${mine.git("rev-parse", "main")}"`));
    const plan = await test.changeling(["plan"]);
    expect(plan.stdout).toContain(`commit: ${old} => ${mine.git("rev-parse", "main")} (1 new commit)`);
    const changed = Object.keys(await test.preview()).map((name) => name.replace(/-[0-9a-f]{6}$/, "-…"));
    expect(changed).toEqual(["command:local:Command tarball-repo-…", "command:local:Command pinned-one-app"]);
    expect((await test.up()).code).toBe(0);
    await Promise.all(["pinned-one", "snapshot-one"].map(fire));
    expect(await found()).toMatchObject({
      "pinned-one": ["succeeded", "# newer\n# newer"],
      "snapshot-one": ["succeeded", "# newer"],
    });
  });

  it("refuses a Dockerfile that does not build, in the words of its build, and leaves what is deployed", async () => {
    const appOf = async () =>
      (await test.emulator.control.state()).apps.find(({ name }) => name === "changeling_dev_pinned-one");
    const before = await appOf();
    mine.commit({ Dockerfile: "FROM debian:bookworm-slim\nRUN echo the cellar is flooded >&2; exit 3\n" }, past);
    push();
    const { code, stdout } = await test.up();
    expect(code).not.toBe(0);
    expect(stdout).toContain("building the image of pinned-one's Dockerfile failed:");
    expect(stdout).toContain("the cellar is flooded");
    expect(await appOf()).toEqual(before);
  });
});
