import * as pulumi from "@pulumi/pulumi";
import { ChangelingOptionsError } from "./fleet/program-options.ts";

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

/** The engine then sees one thing under a new name: the old one is removed and the new one made in one update. */
export function withAlias<Options extends pulumi.ResourceOptions>(opts: Options, former: string | undefined): Options {
  return former === undefined ? opts : { ...opts, aliases: [...(opts.aliases ?? []), { name: former }] };
}

/** The value of an input that is known when the program runs, a secret too: for what is asked before any resource is there. */
export function plainValue(value: pulumi.Input<string>): Promise<string> {
  return new Promise((resolve) => {
    pulumi.output(value).apply(resolve);
  });
}
