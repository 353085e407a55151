import * as pulumi from "@pulumi/pulumi";

/** The key if no engine runs the program. */
const noRun = {};

/**
 * A value that belongs to one run of a Pulumi program. A program of the Automation API can run several times in one
 * process, even concurrently, and nothing that one run created (least of all a resource) may reach another.
 *
 * @param make creates the value from the arguments of a run's first call
 */
export function perRun<Value, Args extends readonly unknown[]>(
  make: (...args: Args) => Value,
): (...args: Args) => Value {
  const values = new WeakMap<object, { readonly value: Value }>();
  return (...args) => {
    // Each run has its own connection to its engine.
    const run: object = pulumi.runtime.getMonitor() ?? noRun;
    const known = values.get(run);
    if (known !== undefined) return known.value;
    const value = make(...args);
    values.set(run, { value });
    return value;
  };
}
