import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { expect, it } from "vitest";
import * as z from "zod/mini";
import { missingSecrets } from "../../../components/fleet/secrets.ts";
import { vocabularyOf } from "../../../components/fleet/vocabulary.ts";
import { shapeOf } from "../../../components/fleet/zod-issues.ts";
import { kinds, loadFleet } from "../../../components/kinds.ts";
import { webSettings } from "../../../components/web/settings.ts";
import { crons } from "../../support/fleet-sandbox.ts";
import { Repository } from "../../support/repository.ts";

const vocabulary = vocabularyOf(kinds);
const file = (name: string) => fileURLToPath(new URL(`../../../changelings/${name}.toml`, import.meta.url));
const past = { author: "Ann", at: "2021-03-04T12:00:00Z" };

function contextOf(repository: Repository) {
  const home = dirname(repository.folder);
  return {
    repo: repository.folder,
    ci: false,
    home,
    machineTimezone: () => "Europe/Berlin",
    environment: repository.env,
  };
}

it("the example fleet is valid, fires todo-ledger alone and needs no secret", async () => {
  using repository = new Repository();
  repository.commit({ "a.c": "// TODO\n" }, past);
  const { fleet, diagnostics } = await loadFleet({ file: file("example"), context: contextOf(repository) });
  expect(diagnostics).toEqual([]);
  expect(crons(fleet).map(({ name, enabled, schedule }) => [name, enabled, schedule])).toEqual([
    ["code-guardian", false, "0 5 * * 1"],
    ["fixme-fairy", false, "0 3 * * *"],
    ["test-troll", false, "30 3 * * 2,4"],
    ["todo-ledger", true, "0 6 * * 1-5"],
  ]);
  expect(fleet && missingSecrets(fleet, {})).toEqual([]);
});

const withElena = z.object({ changelings: z.object({ elena: z.object({ settings: z.unknown() }) }) });

/** All keys, also of the tables within, in their order. */
function keysOf(table: unknown): string[] {
  if (typeof table !== "object" || table === null || Array.isArray(table)) return [];
  return Object.entries(table).flatMap(([key, value]) => [key, ...keysOf(value)]);
}

it("everything.toml shows every option once, and is valid", async () => {
  using repository = new Repository();
  // What it names: the repository and branch of one changeling, and a template of the other's.
  repository.commit({ ".mngr/settings.toml": "[create_templates.careful]\n" }, past);
  const home = dirname(repository.folder);
  mkdirSync(join(home, "src"));
  repository.git("branch", "develop");
  repository.git("clone", "--quiet", "--branch=develop", ".", join(home, "src", "app"));
  const { fleet, diagnostics } = await loadFleet({ file: file("everything"), context: contextOf(repository) });
  expect(diagnostics).toEqual([]);
  expect(fleet?.changelings.map(({ name }) => name)).toEqual([
    "app",
    "code-guardian",
    "coverage-hunter",
    "elena",
    "sapling",
    "security-soldier",
    "sprout",
    "weekly-report",
  ]);
  // Those that need a key or a token are off: nothing must be set to look at it.
  expect(fleet && missingSecrets(fleet, new Set(["GITHUB_TOKEN"]))).toEqual([]);

  const table = parse(readFileSync(file("everything"), "utf8"));
  expect(Object.keys(table).sort()).toEqual(Object.keys(vocabulary.file).sort());
  const used = [table["defaults"], ...Object.values(table["changelings"] ?? {})].flatMap((each) =>
    Object.keys(each ?? {}),
  );
  // Each of those on Modal says where it runs, and of what; all but the first are off, so that they need no key.
  const onModal = ["enabled", "image", "provider", "provider", "repo", "repo", "enabled"];
  // The options that a sandbox shares with other kinds.
  const ofSandbox = ["enabled", "kind", "provider", "repo", "snapshot_max_age", "timeout_seconds"];
  // A seed agent on Fly, and one in a cluster.
  const ofSeedAgents = ["kind", "provider", "enabled", "secrets", "kind", "provider", "enabled"];
  const repeated = [...onModal, ...ofSandbox, ...ofSeedAgents, "enabled", "enabled", "branch", "kind"];
  expect(used.sort()).toEqual([...Object.keys(vocabulary.changeling), ...repeated].sort());
  for (const [key, schema] of Object.entries(vocabulary.file)) {
    if (key === "defaults" || Object.keys(shapeOf(schema)).length === 0) continue;
    expect([key, keysOf(table[key])]).toEqual([key, Object.keys(shapeOf(schema))]);
  }
  const { elena } = withElena.parse(table).changelings;
  expect(keysOf(elena.settings)).toEqual(keysOf(webSettings.parse({})));
});

it.each(["example", "everything"])("%s.toml names its schema in the first line", (name) => {
  expect(readFileSync(file(name), "utf8").split("\n")[0]).toBe("#:schema ./schema.json");
});

it("the fleets of changelings/README.md are valid", async () => {
  using repository = new Repository();
  repository.commit({ "a.c": "// TODO\n" }, past);
  const readme = readFileSync(fileURLToPath(new URL("../../../changelings/README.md", import.meta.url)), "utf8");
  const examples = [...readme.matchAll(/```toml\n(.*?)```/gs)].map(([, text]) => text ?? "");
  expect(examples).toHaveLength(3);
  for (const text of examples) {
    const fleetFile = join(dirname(repository.folder), "fleet.toml");
    writeFileSync(fleetFile, text);
    expect((await loadFleet({ file: fleetFile, context: contextOf(repository) })).diagnostics).toEqual([]);
  }
});
