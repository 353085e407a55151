import { stockWebTypeOf } from "../../../changelings/stock-web.ts";
import type { WebSpec } from "../agent/spec.ts";

/** The build arguments that are declared, with a stock type's own machine unless another is. */
export function declaredImage(spec: WebSpec): readonly string[] {
  const stock = stockWebTypeOf(spec);
  const isDeclared = spec.buildArgs.some((each) => /^(image|file)=/.test(each));
  return stock?.dockerfile === undefined || isDeclared
    ? spec.buildArgs
    : [`file=${stock.dockerfile}`, ...spec.buildArgs];
}
