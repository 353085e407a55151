import * as z from "zod/mini";

/** `stack.json` on the home volume: as whom the stack acts on Modal, for its whole life and from every machine. */
const schema = z.object({
  version: z.literal(1),
  stack: z.string(),
  /** mngr's, which with the prefix names the environment. */
  userId: z.string(),
  prefix: z.string(),
  environment: z.string(),
  /** mngr_profile of the fleet: where machines keep this identity. */
  mngrProfile: z.optional(z.string()),
  /** What agents commit as; left out when no machine has said. */
  gitName: z.optional(z.string()),
  gitEmail: z.optional(z.string()),
});

export type StackIdentity = z.infer<typeof schema>;

export const stackIdentityFile = "stack.json";

/** @throws when it is no such file */
export function parseStackIdentity(json: string): StackIdentity {
  const parsed = schema.safeParse(parseJson(json));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${stackIdentityFile} on the stack's volume is not as it was written: ${issue?.path.join(".")}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
