import * as pulumi from "@pulumi/pulumi";

/**
 * Waits for every promise, so that all errors are reported together.
 *
 * @returns the results, in order
 * @throws pulumi.RunError with the messages of all that threw one; otherwise the first other error
 */
export async function settleAll<const Work extends readonly unknown[]>(
  work: Work,
): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  const errors = (await Promise.allSettled(work)).flatMap((each) =>
    each.status === "rejected" ? [each.reason as unknown] : [],
  );
  // All have succeeded, so this only collects the results.
  if (errors.length === 0) return await Promise.all(work);
  const messages = errors.map((error) => {
    if (!pulumi.RunError.isInstance(error)) throw error;
    return error.message;
  });
  throw new pulumi.RunError([...new Set(messages)].join("\n"));
}
