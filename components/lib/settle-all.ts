import * as pulumi from "@pulumi/pulumi";

/**
 * Waits for all of it to its end, so that a person is told at once of all that is wrong.
 *
 * @returns what each came to, in their order
 * @throws pulumi.RunError with the messages of those that threw one; or what else was thrown first
 */
export async function settleAll<const Work extends readonly unknown[]>(
  work: Work,
): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  const errors = (await Promise.allSettled(work)).flatMap((each) =>
    each.status === "rejected" ? [each.reason as unknown] : [],
  );
  // Nothing fails any more: it is the shortest way to what they came to.
  if (errors.length === 0) return await Promise.all(work);
  const messages = errors.map((error) => {
    if (!pulumi.RunError.isInstance(error)) throw error;
    return error.message;
  });
  throw new pulumi.RunError([...new Set(messages)].join("\n"));
}
