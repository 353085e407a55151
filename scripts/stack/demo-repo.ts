import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../components/lib/as-error.ts";
import { projectFolder } from "./project.ts";

const templates = join(projectFolder, "changelings", "demo-repo");

const mira = "Mira Okafor <mira@example.com>";
const jonas = "Jonas Lind <jonas@example.com>";
const priya = "Priya Raman <priya@example.com>";

/** A file as in the template, or an earlier version without some parts. */
type Version = string | { readonly path: string; readonly without: RegExp };

interface PastCommit {
  readonly author: string;
  /** ISO 8601 with offset. */
  readonly at: string;
  readonly subject: string;
  readonly files: readonly Version[];
}

/** The same everywhere, so that the hashes are too. */
const history: readonly PastCommit[] = [
  {
    author: mira,
    at: "2024-02-11T10:12:00+01:00",
    subject: "Keep a list of what is in the pantry",
    files: [
      ".gitignore",
      { path: "README.md", without: /## Backup.*/s },
      "pantry/__init__.py",
      "pantry/__main__.py",
      { path: "pantry/store.py", without: /def import_csv.*/s },
      { path: "pantry/dates.py", without: /def expired.*/s },
      { path: "pantry/cli.py", without: /def use.*?\n\n\n|^ +using.*?\n|^ +if [^\n]*"use".*?\n.*?\n/gms },
    ],
  },
  {
    author: jonas,
    at: "2024-09-20T21:05:00+02:00",
    subject: "Tell what has expired, test dates and store",
    files: ["pantry/dates.py", "tests/__init__.py", "tests/test_dates.py", "tests/test_store.py"],
  },
  {
    author: priya,
    at: "2025-01-15T08:30:00+05:30",
    subject: "Back up the list",
    files: ["scripts/backup.sh", { path: "README.md", without: /## Using.*/s }, "pyproject.toml"],
  },
  {
    author: jonas,
    at: "2025-06-08T13:22:00+02:00",
    subject: "Take off the list what was used up",
    files: ["pantry/cli.py", "README.md"],
  },
  {
    author: priya,
    at: "2026-03-30T19:15:00+05:30",
    subject: "Import the old app's export, describe the file",
    files: ["pantry/store.py", "docs/format.md"],
  },
];

/**
 * Creates the small git repository that the example fleet works on: a few files with real TODO and FIXME comments, by
 * several authors at fixed past dates, on branch `main`. An existing repository is left as it is.
 *
 * @param dir must not exist, be empty, or be a git repository
 * @throws Error if something else exists there, or git fails
 */
export function makeDemoRepo(dir: string): void {
  if (existsSync(join(dir, ".git"))) {
    configure(dir);
    return;
  }
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new Error(`${dir} is needed for the demo repository, but contains other files; move them away`);
  }
  // Created beside its final path and then renamed, so that an interrupted one is never mistaken for a complete one.
  const making = `${dir}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  git(making, ["init", "--quiet", "--template=", "--initial-branch=main"]);
  configure(making);
  git(making, ["fast-import", "--quiet"], history.map(importCommand).join(""));
  git(making, ["reset", "--quiet", "--hard", "main"]);
  renameSync(making, dir);
}

/** Set explicitly, so that no machine's defaults apply. */
function configure(dir: string): void {
  for (const [key, value] of [
    ["core.autocrlf", "false"],
    // For the agents' commits: nobody could unlock a signing key, and a user's hooks don't apply.
    ["user.name", "Demo"],
    ["user.email", "demo@example.com"],
    ["commit.gpgsign", "false"],
    ["tag.gpgsign", "false"],
    ["core.hooksPath", "/dev/null"],
  ] as const) {
    git(dir, ["config", key, value]);
  }
}

/** A commit for `git fast-import`; lengths are in bytes. */
function importCommand({ author, at, subject, files }: PastCommit): string {
  const who = `${author} ${Date.parse(at) / 1000} ${at.slice(-6).replace(":", "")}`;
  const changes = files.map((file) => {
    const path = typeof file === "string" ? file : file.path;
    return `M ${path.endsWith(".sh") ? "100755" : "100644"} inline ${path}\n${data(contentOf(file))}`;
  });
  return `commit refs/heads/main\nauthor ${who}\ncommitter ${who}\n${data(`${subject}\n`)}${changes.join("")}`;
}

function contentOf(file: Version): string {
  if (typeof file === "string") return readFileSync(join(templates, file), "utf8");
  const now = readFileSync(join(templates, file.path), "utf8");
  return `${now.replace(file.without, "").trimEnd()}\n`;
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

/** Runs git without the user's git settings or environment. */
function git(cwd: string, args: readonly string[], input = ""): void {
  const env = {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    LC_ALL: "C",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
  };
  try {
    execFileSync("git", args, { cwd, env, input, stdio: ["pipe", "ignore", "pipe"] });
  } catch (error) {
    throw new Error(`the demo repository could not be created: ${messageOf(error)}`);
  }
}
