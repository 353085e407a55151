import * as z from "zod/mini";

/** A tarball of a repository's commit as the environment of its Command. */
export const tarballEnvironment = z.object({
  /** What it is made from: a URL, or a portable path. */
  REPO: z.string(),
  BRANCH: z.string(),
  COMMIT: z.string(),
  /** First line of the commit's message; for people, not read. */
  LAST_COMMIT: z.optional(z.string()),
  HISTORY_DEPTH: z.string(),
  /** `origin` in it. */
  ORIGIN: z.string(),
});

export type TarballEnvironment = z.infer<typeof tarballEnvironment>;
