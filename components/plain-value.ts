import * as pulumi from "@pulumi/pulumi";

/** The value of an input that is known when the program runs, a secret too: for what is asked before any resource is there. */
export function plainValue(value: pulumi.Input<string>): Promise<string> {
  return new Promise((resolve) => {
    pulumi.output(value).apply(resolve);
  });
}
