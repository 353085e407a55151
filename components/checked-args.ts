import * as pulumi from "@pulumi/pulumi";
import { ChangelingOptionsError } from "./fleet/index.ts";

/**
 * What a check of a component's args returns; what it refuses, in the engine's way: by property.
 *
 * @param of whose args they are, for instance `changeling "elena"`
 * @throws pulumi.InputPropertiesError with every fault at once
 */
export function checkedArgs<Checked>(of: string, check: () => Checked): Checked {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ChangelingOptionsError)) throw error;
    throw invalidArgs(
      of,
      error.faults.map(({ option, reason }) => ({ propertyPath: option, reason })),
    );
  }
}

export function invalidArgs(of: string, errors: pulumi.InputPropertyErrorDetails[]): pulumi.InputPropertiesError {
  return new pulumi.InputPropertiesError({ message: `The ${of} is not valid.`, errors });
}
