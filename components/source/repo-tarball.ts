import { createHash } from "node:crypto";
import { homedir } from "node:os";
import type * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../command.ts";
import { isRepoUrl, slugOf } from "../git/repo-name.ts";
import { portablePath } from "../lib/portable-path.ts";
import { perRun } from "../stack/per-run.ts";
import { gitTokenEnvironment, tarballEnvironment } from "./tarball-environment.ts";

export interface RepoTarballArgs {
  /** Absolute path or URL. */
  readonly repo: string;
  readonly branch: string;
  /** The URL that its agents clone from and push to: http(s), without credentials. */
  readonly origin: string;
  readonly commit: string;
  readonly subject: string | undefined;
  readonly historyDepth: number;
  /** For the host of `repo`, if that is a URL. */
  readonly token?: pulumi.Input<string> | undefined;
}

const tarballs = perRun(() => new Map<string, pulumi.Resource>());

/**
 * The tarball of a branch's tip, shared by all changelings that need it. It is named after the repository and the
 * branch, so a new tip is an update: `COMMIT: "1a2b…" => "4d5e…"`.
 */
export function repoTarball(args: RepoTarballArgs): pulumi.Resource {
  const { repo, branch, historyDepth, token } = args;
  const from = isRepoUrl(repo) ? repo : portablePath(repo, { project: process.cwd(), home: homedir() });
  const identity = createHash("sha256")
    .update(JSON.stringify([from, branch, historyDepth]))
    .digest("hex");
  const name = `tarball-${slugOf(repo)}-${identity.slice(0, 6)}`;
  const made = tarballs().get(name);
  if (made !== undefined) return made;
  const { commit, subject, origin } = args;
  const environment = tarballEnvironment.encode({ repo: from, branch, commit, subject, historyDepth, origin });
  const isFetched = isRepoUrl(repo) && token !== undefined;
  const secretEnvironment = isFetched ? gitTokenEnvironment.named({ token }) : {};
  // A tarball missing from this machine's cache is not drift: it is created again when it is needed.
  const tarball = scriptCommand(
    name,
    { command: "repo-tarball", environment, secretEnvironment, drift: undefined },
    {},
  );
  tarballs().set(name, tarball);
  return tarball;
}
