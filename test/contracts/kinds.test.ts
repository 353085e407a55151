import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { commandSuffixes, kinds } from "../../components/kinds.ts";
import type { DeployableKind } from "../../components/stack/deployment.ts";
import type { InspectedStack } from "../../components/stack/inspection.ts";

const root = join(import.meta.dirname, "../..");
const all: [string, DeployableKind][] = Object.entries(kinds);
let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "kinds-"));
  vi.stubEnv("HOME", home);
  vi.stubEnv("MNGR_HOST_DIR", join(home, ".mngr"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

/** A stack that has nothing on this machine, nor anywhere else. */
function emptyStack(): InspectedStack {
  const installation = "0123456789ab";
  return {
    name: "dev",
    installation,
    paths: installationPaths(installation, home),
    provider: undefined,
    modal: async () => ({ kind: "not_asked" }),
  };
}

describe.each(all)("kind %s", (name, kind) => {
  it("is named in a sentence, by a noun without an article", () => {
    expect(kind.noun).toMatch(/^[a-z][a-z -]*$/);
    expect(kind.noun).not.toMatch(/^(an?|the) /);
    expect(kind.summary).not.toMatch(/[.A-Z]$/);
  });

  it("says what to do instead of each command that it explains, with the changeling's name or without any", () => {
    for (const [verb, own] of Object.entries(kind.verbs)) {
      if (own === true) continue;
      expect(own("fairy"), verb).toMatch(/^[a-z]/);
      expect(own("fairy").replaceAll("fairy", ""), verb).not.toMatch(/undefined|\.$/);
    }
  });

  it("has providers, which its own option accepts, and suffixes that no other kind has", () => {
    expect(kind.providers.length).toBeGreaterThan(0);
    for (const suffix of kind.commandSuffixes) {
      expect(suffix).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(commandSuffixes.filter((each) => each === suffix)).toHaveLength(1);
    }
  });

  it("knows no changeling of an installation that does not exist", () => {
    expect(kind.known(emptyStack().paths)).toEqual([]);
  });

  it("lists nothing of an empty stack, and finds no log there", async () => {
    const inspection = await kind.inspection();
    const listing = await inspection.list(emptyStack());
    expect(listing).toMatchObject({ changelings: [], cells: [], warnings: [] });
    expect(listing.incomplete).toBeUndefined();
    expect(listing.columns.every((column) => column === column.toUpperCase())).toBe(true);
    expect(await inspection.logs(emptyStack(), "fairy", undefined)).toMatchObject({ deployed: [] });
    expect(await inspection.logs(emptyStack(), "fairy", "fairy-2026-11-21-05-00-00")).toMatchObject({ deployed: [] });
  });

  it("follows a log exactly if it has the command", async () => {
    const inspection = await kind.inspection();
    expect(inspection.follow !== undefined).toBe(kind.verbs["logs --follow"] === true);
  });

  it("is diagnosed without a fleet file, and reports errors as checks", async () => {
    const inspection = await kind.inspection();
    const { PATH: path } = process.env;
    // No program answers.
    vi.stubEnv("PATH", home);
    const diagnosis = await inspection.diagnose?.(emptyStack(), {
      deep: false,
      declared: Promise.resolve({ changelings: [], settings: undefined, mngrProfile: undefined, isAbsent: true }),
      onModal: Promise.resolve(undefined),
    });
    vi.stubEnv("PATH", path ?? "");
    for (const check of [...(diagnosis?.declared ?? []), ...(diagnosis?.deployed ?? [])]) {
      expect(check.name).not.toBe("");
      if (check.status === "failed") expect(check.remedy ?? "").not.toBe("");
    }
    expect(diagnosis?.onModal ?? []).toEqual([]);
  });

  it("describes the change of each of its Commands in a plan", async () => {
    const inspection = await kind.inspection();
    for (const suffix of kind.commandSuffixes) {
      for (const action of ["add", "change", "remove"] as const) {
        const words = inspection.describe?.({
          component: `changelings:${name}:${name}Changeling`,
          name: `fairy-${suffix}`,
          action,
          before: action === "add" ? {} : { NAME: "fairy", ENABLED: "yes" },
          after: action === "remove" ? {} : { NAME: "fairy", ENABLED: "no" },
          reason: undefined,
        });
        expect(inspection.describe === undefined || words?.part).toBeTruthy();
        for (const note of words?.notes ?? []) expect(note).not.toMatch(/^[A-Z]|\.$/);
      }
    }
  });

  it("is inspected without Pulumi", async () => {
    const { metafile } = await build({
      entryPoints: [`components/${name}/kind.ts`],
      absWorkingDir: root,
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
      metafile: true,
      write: false,
      splitting: true,
      outdir: "unused",
    });
    const loaded = new Set<string>();
    const load = (file: string) => {
      if (loaded.has(file)) return;
      loaded.add(file);
      for (const { path, kind } of metafile.inputs[file]?.imports ?? []) if (kind === "import-statement") load(path);
    };
    load(`components/${name}/kind.ts`);
    load(`components/${name}/inspect.ts`);
    expect([...loaded].filter((path) => path.startsWith("@pulumi/"))).toEqual([]);
  });
});
