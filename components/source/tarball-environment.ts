import { environmentCodec, number, optionalText, text } from "../command-environment.ts";

/** A tarball as the environment of its Command. */
export const tarballEnvironment = environmentCodec({
  /** What it is made from: a URL, or a portable path. */
  repo: ["REPO", text],
  branch: ["BRANCH", text],
  commit: ["COMMIT", text],
  /** First line of the commit's message; for people, not read. */
  subject: ["LAST_COMMIT", optionalText],
  historyDepth: ["HISTORY_DEPTH", number],
  /** `origin` in it. */
  origin: ["ORIGIN", text],
});

/** What its repository is fetched with: a secret. */
export const gitTokenEnvironment = environmentCodec({ token: ["GITHUB_TOKEN", optionalText] });
