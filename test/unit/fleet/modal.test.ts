import { afterAll, describe, expect, it } from "vitest";
import { formatDiagnostics } from "../../../components/fleet/diagnostics.ts";
import { crons, Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
const app = sandbox.repo("app");
sandbox.git("-C", app, "remote", "add", "origin", "git@github.com:me/app.git");
sandbox.git("-C", app, "update-ref", "refs/remotes/origin/main", "main");
afterAll(() => sandbox[Symbol.dispose]());

const url = "https://github.com/me/app";

async function changelingsOf(text: string) {
  const { fleet, diagnostics } = await sandbox.load(text, { repo: "app" });
  expect(formatDiagnostics(diagnostics)).toBe("");
  return crons(fleet);
}

describe("a changeling on Modal", () => {
  it("has everything decided", async () => {
    const [changeling] = await changelingsOf('[changelings.fixme-fairy]\nprovider = "modal"');
    expect(changeling).toMatchObject({
      provider: "modal",
      repo: app,
      remote: "https://github.com/me/app.git",
      image: "clone",
      historyDepth: 1,
      allowUnpushed: false,
      snapshotMaxAge: undefined,
      verify: "call",
    });
  });

  it.each([
    ['image = "snapshot"\nsnapshot_max_age = "7d"', { image: "snapshot", snapshotMaxAge: 604_800 }],
    ['image = "pinned"\nhistory_depth = 9\nallow_unpushed = true', { historyDepth: 9, allowUnpushed: true }],
    ['image = "pinned"\nbuild_args = ["docker-build-arg=A=1", "secret=GITHUB_TOKEN"]', { image: "pinned" }],
    ['image = "custom"\nbuild_args = ["image=node:24", "secret=GITHUB_TOKEN"]', {}],
    [
      'verify = "none"\nbuild_args = ["cpu=2", "image=node:24"]',
      { verify: "none", buildArgs: ["cpu=2", "image=node:24"] },
    ],
    ["timeout_seconds = 86100", { timeoutSeconds: 86_100 }],
    ["catch_up = true\nhistory_depth = 1", { catchUp: true }],
  ])("%s", async (lines, expected) => {
    const [changeling] = await changelingsOf(`[changelings.fixme-fairy]\nprovider = "modal"\n${lines}`);
    expect(changeling).toMatchObject(expected);
  });
});

it("catch_up on Modal is a warning", async () => {
  const text = '[changelings.fixme-fairy]\nprovider = "modal"\ncatch_up = false';
  expect(await sandbox.diagnosticsOf(text, { repo: url })).toEqual([
    'config.toml:3: warning: changelings.fixme-fairy.catch_up: catch_up has no effect for the provider "modal", whose schedules never sleep',
    "→ remove the line",
  ]);
});

describe("defaults of a fleet with two providers", () => {
  const two =
    '[changelings.far]\nagent_type = "claude"\nprovider = "modal"\n[changelings.near]\nagent_type = "claude"\n';

  it("count where they mean something", async () => {
    const [far, near] = await changelingsOf(
      `[defaults]\nimage = "snapshot"\nsnapshot_max_age = "1d"\nbuild_args = ["cpu=2"]\nverify = "none"\ncatch_up = false\n${two}`,
    );
    expect(far).toMatchObject({ image: "snapshot", snapshotMaxAge: 86_400, buildArgs: ["cpu=2"], catchUp: true });
    expect(near).toMatchObject({ image: "clone", snapshotMaxAge: undefined, buildArgs: [], catchUp: false });
    expect([far?.verify, near?.verify]).toEqual(["none", "call"]);
  });

  it("that have no effect for any changeling are reported once, at their line", async () => {
    const text = `[defaults]\nhistory_depth = 2\n${two}[changelings.other]\nagent_type = "claude"\nprovider = "modal"\n`;
    expect(await sandbox.diagnosticsOf(text, { repo: "app" })).toEqual([
      'config.toml:2: defaults.history_depth: history_depth is only for image = "pinned"',
      '→ remove the line, or write image = "pinned"',
    ]);
    const local =
      '[defaults]\nimage = "pinned"\n[changelings.a]\nagent_type = "claude"\nimage = "clone"\n[changelings.b]\nagent_type = "claude"\n';
    expect(await sandbox.diagnosticsOf(local, { repo: "app" })).toEqual([
      'config.toml:2: defaults.image: image is only for provider = "modal"',
      '→ remove the line, or write provider = "modal"',
    ]);
  });

  it("that Modal does not support are reported", async () => {
    expect(await sandbox.diagnosticsOf(`[defaults]\noverlap = "queue"\n${two}`, { repo: "app" })).toEqual([
      'config.toml:2: defaults.overlap: the provider "modal" can\'t queue: what comes due while the last run is alive is skipped (for far)',
      '→ write overlap = "skip"',
    ]);
  });
});

describe("mngr's settings on Modal", () => {
  const onModal = (lines: string) => `[changelings.a]\nprovider = "modal"\n${lines}\n`;
  const mine = (folder: string) => `${folder}/home/.mngr/profiles/p/settings.toml`;

  it("are the person's own, not the repository's", async () => {
    using own = new Sandbox();
    own.write("home/.mngr/config.toml", 'profile = "p"\n');
    own.write(
      "home/.mngr/profiles/p/settings.toml",
      '[agent_types.mine]\nparent_type = "claude"\n[create_templates.own]\n',
    );
    expect(await own.diagnosticsOf(onModal('agent_type = "mine"\ntemplate = "own"'), { repo: url })).toEqual([]);
    own.write("app/.mngr/settings.toml", '[agent_types.of-repo]\nparent_type = "claude"\n[create_templates.of-repo]\n');
    own.repo("app");
    own.git("-C", `${own.folder}/app`, "remote", "add", "origin", url);
    own.git("-C", `${own.folder}/app`, "update-ref", "refs/remotes/origin/main", "main");
    const theirs = 'agent_type = "of-repo"\ntemplate = "of-repo"\nrepo = "app"';
    expect(await own.diagnosticsOf(`[changelings.a]\n${theirs}`)).toEqual([]);
    expect(await own.diagnosticsOf(onModal(theirs))).toEqual([
      'config.toml:3: changelings.a.agent_type: mngr knows no agent type "of-repo" (on Modal only your own settings apply, not the repository\'s)',
      expect.stringContaining("→ known here: "),
      "config.toml:4: changelings.a.template: mngr's settings have no create template \"of-repo\" (on Modal only your own settings apply, not the repository's)",
      `→ define it below [create_templates] in ${mine("<folder>")}, or remove the line`,
    ]);
  });

  it("may define more where mngr has no profile on this machine", async () => {
    const reported = await sandbox.diagnosticsOf(onModal('agent_type = "claude"\ntemplate = "own"'), { repo: "app" });
    expect(reported).toEqual([
      "config.toml:4: warning: changelings.a.template: mngr's settings have no create template \"own\" (on Modal only your own settings apply, not the repository's)",
      "→ define it below [create_templates] in your mngr settings, or remove the line",
    ]);
  });
});
