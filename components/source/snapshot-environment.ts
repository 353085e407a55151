import * as z from "zod/mini";

/** A snapshot as the environment of its Command. */
export const snapshotEnvironment = z.object({
  STACK: z.string(),
  MODAL_ENVIRONMENT: z.string(),
  MNGR_USER_ID: z.string(),
  MNGR_PREFIX: z.string(),
  /** Where mngr finds the person's settings on this machine. */
  MNGR_PROFILE: z.optional(z.string()),
  /** The https URL that is cloned. */
  REPO: z.string(),
  BRANCH: z.string(),
  TEMPLATE: z.optional(z.string()),
  /** JSON list. */
  BUILD_ARGS: z.optional(z.string()),
  /** `7d`: a snapshot that is older is renewed. */
  SNAPSHOT_MAX_AGE: z.optional(z.string()),
});

export type SnapshotEnvironment = z.infer<typeof snapshotEnvironment>;
