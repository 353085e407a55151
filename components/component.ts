import * as pulumi from "@pulumi/pulumi";
import { ChangelingOptionsError } from "./fleet/index.ts";

/**
 * What a check of a component's args returns; what it refuses, in the engine's way: by property.
 *
 * @param of whose args they are, for instance `changeling "elena"`
 * @throws pulumi.InputPropertiesError with every fault at once, which a program prints without a stack
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
  return new InvalidArgs(of, errors);
}

/** The SDK prints the properties of such an error in a component provider alone; in a program, the message. */
class InvalidArgs extends pulumi.InputPropertiesError {
  /** What `pulumi.RunError.isInstance` looks for: a person's mistake, to be printed without the program's stack. */
  readonly __pulumiRunError = true;

  constructor(of: string, errors: pulumi.InputPropertyErrorDetails[]) {
    const lines = errors.map(({ propertyPath, reason }) => `\n  ${propertyPath}: ${reason}`);
    super({ message: `The ${of} is not valid:${lines.join("")}`, errors });
  }
}
