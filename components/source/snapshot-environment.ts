import * as z from "zod/mini";
import { environmentCodec, list, optionalText, text } from "../command-environment.ts";
import { durationSeconds } from "../lib/duration.ts";
import { homeVariables } from "../stack/modal-home-environment.ts";
import { durationText } from "./snapshot.ts";

const declaredVariables = {
  stack: ["STACK", text],
  /** Where mngr finds the user's settings on this machine. */
  mngrProfile: ["MNGR_PROFILE", optionalText],
  /** The https URL to clone. */
  repo: ["REPO", text],
  branch: ["BRANCH", text],
  template: ["TEMPLATE", optionalText],
  buildArgs: ["BUILD_ARGS", list],
  /** `7d`: an older snapshot is renewed. */
  maxAgeSeconds: [
    "SNAPSHOT_MAX_AGE",
    z.codec(optionalText, z.optional(z.number()), {
      decode: (age) => (age === undefined ? undefined : durationSeconds(age)),
      encode: (seconds) => (seconds === undefined ? undefined : durationText(seconds)),
    }),
  ],
} as const;

/** The environment of a snapshot's Command, without the values that are known once the stack's home is deployed. */
export const declaredSnapshotEnvironment = environmentCodec(declaredVariables);

export const snapshotEnvironment = environmentCodec({ ...declaredVariables, ...homeVariables });
