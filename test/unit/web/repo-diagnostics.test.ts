import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { Sandbox } from "../../support/fleet-sandbox.ts";
import { type WebProblem, webProblem } from "../../support/web-diagnostic.ts";

const sandbox = new Sandbox();
sandbox.repo("agent", ["main", "develop"]);
sandbox.repo("old", ["master"]);
sandbox.write("file", "");
execFileSync("mkfifo", [join(sandbox.folder, "pipe")]);
afterAll(() => sandbox[Symbol.dispose]());

const token = `ghp_${"a1B2".repeat(9)}`;
const form = 'write "SRC:DEST", for instance "~/notes/style.md:docs/style.md"';
const noCredential = "the URL contains a credential, which would be visible in the stack's state and in process lists";

/** One line below `[changelings.chat]` and its kind, on line 3. */
const oneOption: readonly WebProblem[] = [
  // Added paths.
  ["add_paths = ['file']", 'add_paths[0]: "file" is not SRC:DEST', form],
  ["add_paths = ['file:']", 'add_paths[0]: "file:" is not SRC:DEST', form],
  ["add_paths = [':docs']", 'add_paths[0]: ":docs" is not SRC:DEST', form],
  ["add_paths = ['file:/etc/x']", 'add_paths[0]: DEST must be a path below the repo, and "/etc/x" is not', form],
  ["add_paths = ['file:~/x']", 'add_paths[0]: DEST must be a path below the repo, and "~/x" is not', form],
  ["add_paths = ['file:docs/../../x']", 'add_paths[0]: DEST "docs/../../x" is outside of the repo', form],
  ["add_paths = ['..:docs/']", 'add_paths[0]: DEST "docs/" names no file or folder', form],
  ["add_paths = ['file:a/..']", 'add_paths[0]: DEST "a/.." names no file or folder', form],
  [
    "add_paths = ['file:.Git/hooks/post-commit']",
    'add_paths[0]: DEST ".Git/hooks/post-commit" belongs to git',
    "choose another path",
  ],
  ["add_paths = ['file:a', 'agent:./a']", "add_paths[1]: a is also the DEST of another path", "remove one of them"],
  ["add_paths = ['nothing:a']", "add_paths[0]: <folder>/nothing does not exist", "correct the path, or remove it"],
  ["add_paths = ['pipe:a']", "add_paths[0]: <folder>/pipe is neither a file nor a folder", "write the path of one"],
  [
    "settings = {}\nadd_paths = ['file:.changelings/settings.toml']",
    "add_paths[0]: settings is written to this file",
    "remove it, or remove settings",
  ],
  // Sources and branches.
  [
    "branch = 'develop'",
    "branch: branch is only for a changeling with a source: other repositories are created from scratch",
    'remove the line, or write source = "<path or URL>"',
  ],
  [
    "source = 'nowhere'",
    "source: there is no folder <folder>/nowhere",
    "clone the repository there, or correct the path",
  ],
  ["source = 'old'", 'the repository has no branch "main"', 'did you mean branch = "master"?'],
  [
    "source = 'agent'\nbranch = 'devlop'",
    'branch: the repository has no branch "devlop"',
    'did you mean branch = "develop"?',
  ],
  [
    "source = 'agent'\nbranch = 'a b'",
    'branch: "a b" is not a valid branch name',
    'write a name such as branch = "main"',
  ],
  [
    `source = 'https://${token}@github.com/a/b'`,
    `source: ${noCredential}`,
    "write https://github.com/a/b and give git the credential: git credential approve, or gh auth login",
  ],
  ["source = ''", "source: is empty", 'write source = "https://github.com/me/agent", or remove the line'],
  // Remotes.
  [
    "remote = 'nowhere'",
    "remote: there is no folder <folder>/nowhere",
    "git init --bare <folder>/nowhere, or correct the path",
  ],
  ["remote = 'file'", "remote: <folder>/file is a file", "git init --bare <folder>/file, or correct the path"],
  [
    `remote = 'https://me:${token}@github.com/a/b'`,
    `remote: ${noCredential}`,
    "write https://github.com/a/b and give git the credential: git credential approve, or gh auth login",
  ],
  [
    "remote = 'http://example.com/a'",
    "remote: the connection to http://example.com/a is not encrypted, so others could read and change the pushed commits",
    'write its https URL: remote = "https://…"',
  ],
  [
    "remote = 'ftp://example.com/a'",
    "remote: is not a URL that git can clone from",
    "write an https:// or ssh:// URL, or a path",
  ],
  [
    "provider = 'modal'\nremote = '/srv/elena.git'",
    "remote: an agent on Modal can't push to /srv/elena.git, because it has no ssh key and not this machine's files",
    'write its https URL: remote = "https://…"',
  ],
  [
    "provider = 'docker'\nremote = 'git@elena:me/elena.git'",
    "remote: an agent in a container can't push to git@elena:me/elena.git, because it has no ssh key and not this machine's files",
    'write its https URL: remote = "https://…"',
  ],
  [
    "provider = 'docker'\nremote = 'http://localhost:3000/me/elena'",
    "remote: an agent in a container can't push to http://localhost:3000/me/elena, because it has no ssh key and not this machine's files",
    'write its https URL: remote = "https://…"',
  ],
];

it.each(oneOption)("%j is reported with its line and remedy", async (lines, where, remedy) => {
  const { text, reported } = webProblem(lines, where, remedy);
  expect(await sandbox.diagnosticsOf(text)).toEqual(reported);
});
