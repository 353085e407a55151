import * as pulumi from "@pulumi/pulumi";

/** Where no engine runs the program. */
const noRun = {};

/**
 * A value of one run of a Pulumi program. A program of the Automation API runs several times in one process, also at the
 * same time: what one run made (a resource above all) must not reach the next one.
 *
 * @param make makes the value when a run first asks for it, from what it then gives
 */
export function perRun<Value, Given extends readonly unknown[]>(
  make: (...given: Given) => Value,
): (...given: Given) => Value {
  const values = new WeakMap<object, { readonly value: Value }>();
  return (...given) => {
    // Each run has its own connection to its engine.
    const run: object = pulumi.runtime.getMonitor() ?? noRun;
    const known = values.get(run);
    if (known !== undefined) return known.value;
    const value = make(...given);
    values.set(run, { value });
    return value;
  };
}
