import * as pulumi from "@pulumi/pulumi";
import { ChangelingOptionsError } from "./fleet/program-options.ts";

/**
 * Checks a component's args, and reports errors like the engine: by property.
 *
 * @param of the owner of the args, for instance `changeling "elena"`
 * @throws pulumi.InputPropertiesError with all errors at once, which a program prints without a stack trace
 */
export function checkedArgs<Checked>(of: string, check: () => Checked): Checked {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ChangelingOptionsError)) throw error;
    throw invalidArgs(
      of,
      error.problems.map(({ option, reason }) => ({ propertyPath: option, reason })),
    );
  }
}

export function invalidArgs(of: string, errors: pulumi.InputPropertyErrorDetails[]): pulumi.InputPropertiesError {
  return new InvalidArgs(of, errors);
}

/** The SDK prints the properties of such an error only in a component provider. In a program it prints the message. */
class InvalidArgs extends pulumi.InputPropertiesError {
  /** `pulumi.RunError.isInstance` checks this. It marks a user error, which is printed without a stack trace. */
  readonly __pulumiRunError = true;

  constructor(of: string, errors: pulumi.InputPropertyErrorDetails[]) {
    const lines = errors.map(({ propertyPath, reason }) => `\n  ${propertyPath}: ${reason}`);
    super({ message: `The ${of} is not valid:${lines.join("")}`, errors });
  }
}

/** Aliases the former name, so that a rename is one update: the old thing is removed and the new one created. */
export function withAlias<Options extends pulumi.ResourceOptions>(opts: Options, former: string | undefined): Options {
  return former === undefined ? opts : { ...opts, aliases: [...(opts.aliases ?? []), { name: former }] };
}

/** The value of an input, secret or not, that is known before any resource exists, for requests at that time. */
export function plainValue(value: pulumi.Input<string>): Promise<string> {
  return new Promise((resolve) => {
    pulumi.output(value).apply(resolve);
  });
}
