import { environmentCodec, number, optionalText, text } from "../command-environment.ts";

/** The environment of a tarball's Command. */
export const tarballEnvironment = environmentCodec({
  /** The source repository: a URL, or a portable path. */
  repo: ["REPO", text],
  branch: ["BRANCH", text],
  commit: ["COMMIT", text],
  /** First line of the commit's message. It is shown in previews, and no script reads it. */
  subject: ["LAST_COMMIT", optionalText],
  historyDepth: ["HISTORY_DEPTH", number],
  /** The tarball's `origin`. */
  origin: ["ORIGIN", text],
});

/** The secret token for fetching its repository. */
export const gitTokenEnvironment = environmentCodec({ token: ["GITHUB_TOKEN", optionalText] });
