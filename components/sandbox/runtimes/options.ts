import * as z from "zod/mini";

/** `runtime_config` of `runtime = "stub"`. */
export const stubTable = z.strictObject({});
