import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installations, readClaim, removeEmptyFolders, writeClaim } from "../../../components/host/claims.ts";
import { ensureFolder } from "../../../components/host/files.ts";
import {
  chooseInstallation,
  type Installed,
  installationId,
  unclaimedIds,
} from "../../../components/host/installation.ts";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import {
  canonicalBackend,
  currentBackend,
  identityOf,
  projectNameIn,
} from "../../../components/host/stack-identity.ts";
import { exportedState, holdsInstallation } from "../../../components/stack/state.ts";

const dev = { backend: "file:///home/me/state", organization: "organization", project: "changelings", stack: "dev" };
const [one, two] = ["111111111111", "222222222222"];

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "installation-"));
});
afterEach(() => rmSync(home, { recursive: true }));

describe("installationId", () => {
  it("is short, and the same for the same stack", () => {
    expect(installationId(dev)).toMatch(/^[0-9a-f]{12}$/);
    expect(installationId({ ...dev })).toBe(installationId(dev));
  });

  it.each([
    { ...dev, stack: "prod" },
    { ...dev, backend: "https://api.pulumi.com" },
    { ...dev, organization: "acme" },
    { ...dev, project: "others" },
  ])("differs for %o", (other) => {
    expect(installationId(other)).not.toBe(installationId(dev));
  });
});

describe("chooseInstallation", () => {
  const choose = (
    installed: readonly Installed[],
    inState: readonly string[] | undefined,
    unclaimed: readonly string[] = [],
  ) => chooseInstallation(dev, { installed, inState, unclaimed });
  const renamed = { ...dev, stack: "old" };

  it("takes the id of the state, whatever the stack is called now and whatever is here", () => {
    expect(choose([], [one])).toEqual({ id: one, rival: undefined, others: [] });
    expect(choose([{ id: one, claim: undefined }], [one])).toEqual({ id: one, rival: undefined, others: [] });
    expect(choose([{ id: one, claim: dev }], [one])).toEqual({ id: one, rival: undefined, others: [] });
  });

  it("names the stack that has claimed it", () => {
    for (const other of [renamed, { ...dev, backend: "s3://state" }, { ...dev, project: "fleet" }]) {
      expect(choose([{ id: one, claim: other }], [one])).toEqual({ id: one, rival: other, others: [] });
    }
  });

  it("without one in the state, uses a local one: first a claimed one, then an unclaimed one", () => {
    const installed = [
      { id: one, claim: undefined },
      { id: two, claim: dev },
    ];
    expect(choose(installed, [])).toMatchObject({ id: two, others: [] });
    expect(choose(installed, [], [one])).toMatchObject({ id: two, others: [one] });
    expect(choose([{ id: one, claim: undefined }], [], [one])).toMatchObject({ id: one, rival: undefined, others: [] });
  });

  it("creates a new one if there is none, and for another organization", () => {
    expect(choose([], [], [one])).toMatchObject({ id: installationId(dev) });
    const acme = { ...dev, backend: "https://api.pulumi.com", organization: "acme" };
    const known = { installed: [{ id: one, claim: acme }], inState: [], unclaimed: [one] };
    const globex = { ...acme, organization: "globex" };
    expect(chooseInstallation(globex, known)).toMatchObject({ id: installationId(globex), rival: undefined });
    expect(chooseInstallation({ ...acme, organization: undefined }, known)).toMatchObject({ id: one });
  });

  it("reports a second one of the same stack", () => {
    expect(choose([{ id: one, claim: dev }], [two])).toMatchObject({ id: two, others: [one] });
    const both = [
      { id: one, claim: undefined },
      { id: two, claim: undefined },
    ];
    expect(choose(both, [two], [one])).toMatchObject({ id: two, others: [one] });
    expect(choose(both, [one, two])).toMatchObject({ id: one, others: [two] });
  });
});

it("finds what was installed before there were claims, however the backend was spelled then", () => {
  // sha256 of backend, project and stack by line.
  expect(unclaimedIds(dev, ["file:///home/me/state/"])).toContain("6dd6e8d713f3");
  const spelled = unclaimedIds(dev, ["file://~/state"]);
  expect(spelled).toHaveLength(2);
  expect(spelled).toContain("6dd6e8d713f3");
});

describe("a claim", () => {
  it("names the owner of an installation, and keeps an organization that a command does not know", () => {
    const paths = installationPaths(one, home);
    expect(readClaim(paths)).toBeUndefined();
    const cloud = { ...dev, backend: "https://api.pulumi.com", organization: "acme" };
    writeClaim(paths, cloud);
    const machine = readClaim(paths)?.machine;
    writeClaim(paths, { ...cloud, organization: undefined }, { now: new Date("2026-11-30T06:00:00Z") });
    expect(readClaim(paths)).toEqual({ version: 1, ...cloud, appliedAt: "2026-11-30T06:00:00.000Z", machine });
    ensureFolder(installationPaths(two, home).jobs);
    ensureFolder(join(home, ".changelings", "dev"));
    expect(installations(home)).toMatchObject([
      { id: one, claim: cloud },
      { id: two, claim: undefined },
    ]);
  });

  it("remembers until the next update that a person moved it to this machine", () => {
    const paths = installationPaths(one, home);
    writeClaim(paths, dev, { isAdopted: true });
    expect(readClaim(paths)?.isAdopted).toBe(true);
    writeClaim(paths, dev);
    expect(readClaim(paths)?.isAdopted).toBeUndefined();
  });

  it("goes with the last of its installation, not before", () => {
    const paths = installationPaths(one, home);
    writeClaim(paths, dev);
    ensureFolder(paths.jobs);
    removeEmptyFolders(paths);
    expect(readClaim(paths)).toMatchObject(dev);
    rmSync(paths.jobs, { recursive: true });
    removeEmptyFolders(paths);
    expect(installations(home)).toEqual([]);
  });
});

describe("identityOf", () => {
  it.each([
    ["dev", "file:///s", "organization changelings dev"],
    ["organization/fleet/dev", "file:///s", "organization fleet dev"],
    ["dev", "https://api.pulumi.com", "undefined changelings dev"],
    ["acme/dev", "https://api.pulumi.com", "acme changelings dev"],
    ["acme/fleet/dev", "https://api.pulumi.com", "acme fleet dev"],
  ])("reads %s in %s", (name, backend, words) => {
    const { organization, project, stack } = identityOf(name, { backend, project: "changelings" });
    expect(`${organization} ${project} ${stack}`).toBe(words);
  });
});

describe("canonicalBackend", () => {
  it("is the same for every spelling of a folder", () => {
    mkdirSync(join(home, "my state"));
    symlinkSync(join(home, "my state"), join(home, "link"));
    const spellings = [
      ...["~/my state", "~/my%20state/", `${home}/my state`, `${home}//my state//`, `${home}/link`, "my state"],
      ...["./my state", `${home}/my state?no_tmp_dir=true`],
    ];
    const all = spellings.map((path) => canonicalBackend(`file://${path}`, { home, cwd: home }));
    expect(new Set(all).size).toBe(1);
    expect(canonicalBackend("file://~", { home })).toBe(canonicalBackend(`file://${home}`, { home }));
    expect(canonicalBackend("file://~/not/there", { home })).toBe(canonicalBackend(`file://${home}/not/there/`));
  });

  it.each([
    ["s3://bucket?region=eu&endpoint=https://host", "s3://bucket/?endpoint=https://host/&region=eu&profile=me"],
    ["https://api.pulumi.com", "https://API.pulumi.com/"],
    ["postgres://me:secret@host/db?table=fleet&sslmode=off", "postgres://you:other@host/db?table=fleet"],
  ])("is the same for %s and %s", (first, second) => {
    expect(canonicalBackend(first)).toBe(canonicalBackend(second));
    expect(canonicalBackend(first)).not.toContain("secret");
  });

  it.each([
    ["s3://bucket/one", "s3://bucket/two"],
    ["s3://bucket?endpoint=https://one", "s3://bucket?endpoint=https://two"],
    ["file:///one", "file:///two"],
  ])("differs for %s and %s", (first, second) => {
    expect(canonicalBackend(first)).not.toBe(canonicalBackend(second));
  });
});

describe("currentBackend", () => {
  function login(folder: string, current: string): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "credentials.json"), JSON.stringify({ current }));
  }

  it("takes the environment first, then the project, then the login, then Pulumi Cloud", () => {
    expect(currentBackend({}, home)).toBe("https://api.pulumi.com");
    login(join(home, ".pulumi"), "file://~");
    expect(currentBackend({}, home, home)).toBe("file://~");
    writeFileSync(join(home, "Pulumi.yaml"), "name: fleet\nruntime: nodejs\nbackend:\n  url: file:///project\n");
    expect(currentBackend({}, home, home)).toBe("file:///project");
    expect(projectNameIn(home)).toBe("fleet");
    expect(currentBackend({ PULUMI_BACKEND_URL: "s3://state" }, home, home)).toBe("s3://state");
  });

  it("reads the login from the CLI's file", () => {
    login(join(home, "one"), "file:///one");
    login(join(home, "two"), "file:///two");
    expect(currentBackend({ PULUMI_HOME: join(home, "one") }, home)).toBe("file:///one");
    const both = { PULUMI_HOME: join(home, "one"), PULUMI_CREDENTIALS_PATH: join(home, "two") };
    expect(currentBackend(both, home)).toBe("file:///two");
  });
});

describe("the state", () => {
  it("lists installations and names on Modal, each once", () => {
    const urn = "urn:pulumi:dev::changelings::command:local:Command::a";
    const command = (environment: object) => ({ urn, inputs: { environment } });
    const resources = [
      { urn },
      command({ NAME: "a", INSTALLATION: one }),
      command({ INSTALLATION: one, STACK: "dev" }),
      command({ INSTALLATION: "no id" }),
    ];
    expect(exportedState(JSON.stringify({ deployment: { resources } }))).toMatchObject({
      installations: [one],
      namesOnModal: ["dev"],
      otherStacks: [],
    });
    expect(exportedState('{ "deployment": {} }')).toMatchObject({ installations: [], namesOnModal: [] });
  });

  it("of another stack in a folder shows whether it still has the installation", () => {
    const stacks = join(home, "state", ".pulumi", "stacks", "changelings");
    mkdirSync(stacks, { recursive: true });
    writeFileSync(join(stacks, "dev.json"), JSON.stringify({ INSTALLATION: one }));
    const stack = { ...dev, backend: `file://${home}/state` };
    expect(holdsInstallation(stack, one)).toBe(true);
    expect(holdsInstallation(stack, two)).toBe(false);
    expect(holdsInstallation({ ...stack, stack: "gone" }, one)).toBe(false);
    expect(holdsInstallation({ ...stack, backend: `file://${home}/gone` }, one)).toBe(false);
    expect(holdsInstallation({ ...stack, backend: "s3://state" }, one)).toBeUndefined();
  });
});
