import { afterAll, expect, it } from "vitest";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const sandbox = new Sandbox();
const app = sandbox.repo("app");
sandbox.git("-C", app, "remote", "add", "origin", "git@github.com:me/app.git");
sandbox.git("-C", app, "update-ref", "refs/remotes/origin/main", "main");
sandbox.repo("alone");
afterAll(() => sandbox[Symbol.dispose]());

const all =
  "it accepts cpu, memory, gpu, region, image, file, context-dir, cidr-allowlist, secret, volume, docker-build-arg";

/** Lines below `provider = "modal"`; the last one is reported. */
const problems: readonly [lines: string, where: string, remedy: string][] = [
  [
    "history_depth = 2",
    'history_depth: history_depth is only for image = "pinned"',
    'remove the line, or write image = "pinned"',
  ],
  [
    "image = 'snapshot'\nallow_unpushed = true",
    'allow_unpushed: allow_unpushed is only for image = "pinned"',
    'remove the line, or write image = "pinned"',
  ],
  [
    "image = 'pinned'\nsnapshot_max_age = '12h'",
    'snapshot_max_age: snapshot_max_age is only for image = "snapshot"',
    'remove the line, or write image = "snapshot"',
  ],
  [
    "timeout_seconds = 86101",
    'timeout_seconds: 86101 s is too much for the provider "modal": a sandbox lives for 24 hours, and to start and end a run takes some of them',
    "write timeout_seconds = 86100 or less",
  ],
  [
    "overlap = 'queue'",
    'overlap: the provider "modal" can\'t queue: what comes due while the last run is alive is skipped',
    'write overlap = "skip"',
  ],
  ["build_args = ['--no-cache']", 'build_args[0]: the provider "modal" knows no build argument "--no-cache"', all],
  [
    "build_args = ['timeout=900']",
    "build_args[0]: a machine's timeout is derived from the run's",
    "write timeout_seconds instead",
  ],
  [
    "build_args = ['cpu=2', 'offline']",
    "build_args[1]: an agent that is offline can neither clone the repository nor push its branch",
    "remove it, or list the addresses that it may reach: cidr-allowlist=<range>",
  ],
  [
    "build_args = ['file=Dockerfile']",
    'build_args[0]: "file" would be looked for where the schedule fires, and nothing of yours is there',
    'remove it, or write image = "pinned" to build from the repository\'s Dockerfile',
  ],
  [
    "image = 'pinned'\nbuild_args = ['context-dir=.']",
    'build_args[0]: "context-dir" would be looked for where the schedule fires, and nothing of yours is there',
    "remove it: the repository's own Dockerfile is used",
  ],
  [
    "image = 'custom'\nbuild_args = ['file=Dockerfile']",
    'build_args[0]: "file" would be looked for where the schedule fires, and nothing of yours is there',
    'remove it, or write image = "pinned" to build from the repository\'s Dockerfile',
  ],
  [
    "image = 'pinned'\nbuild_args = ['image=node:24']",
    'build_args[0]: image = "pinned" builds from a Dockerfile, which says itself what it is based on',
    "remove it, and write it into the Dockerfile's FROM",
  ],
  [
    "image = 'snapshot'\nbuild_args = ['docker-build-arg=A=1']",
    'build_args[0]: "docker-build-arg" is for a Dockerfile, and image = "snapshot" builds from none',
    'remove it, or write image = "pinned"',
  ],
  [
    "image = 'pinned'\nbuild_args = ['secret=NPM_TOKEN']",
    "build_args[0]: NPM_TOKEN is not one of the changeling's secrets, so the build can't use it",
    'add "NPM_TOKEN" to secrets',
  ],
  [
    `image = 'pinned'\nbuild_args = ['docker-build-arg=TOKEN=ghp_${"a1B2".repeat(9)}']`,
    "build_args[0]: the value looks like a secret, and build arguments are kept in the image and in the stack's state",
    'write secret=<NAME>, and "<NAME>" in secrets',
  ],
  [
    "build_args = ['volume=x:/changelings-runs/y']",
    "build_args[0]: a volume can't be mounted at /changelings-runs/y: that path is in use",
    'mount it elsewhere, for instance "volume=cache:/cache"',
  ],
  [
    "build_args = ['volume=x:/']",
    "build_args[0]: a volume can't be mounted at /: that path is in use",
    'mount it elsewhere, for instance "volume=cache:/cache"',
  ],
  [
    "repo = 'file:///srv/app'",
    "repo: the repository is file:///srv/app, which an agent on another machine can't reach by https",
    'write its https URL: repo = "https://…"',
  ],
  [
    "repo = 'alone'",
    "repo: <folder>/alone has no remote: an agent on another machine can't clone it",
    'git -C <folder>/alone remote add origin <URL>, or write the https URL itself: repo = "https://…"',
  ],
  ["repo = 'nowhere'", "repo: there is no folder <folder>/nowhere", "clone the repository there, or correct the path"],
  [
    "repo = 'ftp://example.com/a'",
    "repo: is not a URL that git can clone from",
    "write an https:// or ssh:// URL, or a path",
  ],
  ["branch = 'devlop'", 'branch: the repository has no branch "devlop"', 'did you mean branch = "main"?'],
];

it.each(problems)("%s is reported with its line and its remedy", async (lines, where, remedy) => {
  const reported = await sandbox.diagnosticsOf(`[changelings.fixme-fairy]\nprovider = "modal"\n${lines}\n`, {
    repo: "app",
  });
  const line = 2 + lines.split("\n").length;
  expect(reported).toEqual([`config.toml:${line}: changelings.fixme-fairy.${where}`, `→ ${remedy}`]);
});
